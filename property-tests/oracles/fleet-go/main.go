// The API server of fleet 1.0 itself, over the etcd it is given: `fleet-go ETCD_URLS`. It prints the
// address it listens on, and ends when standard input does.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/coreos/etcd/client"
	"github.com/coreos/fleet/api"
	"github.com/coreos/fleet/registry"
)

func main() {
	etcd, err := client.New(client.Config{
		Endpoints:               strings.Split(os.Args[1], ","),
		HeaderTimeoutPerRequest: time.Second,
	})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	// What fleet's handlers panic on is what is looked at here: no need to see the stacks.
	log.SetOutput(io.Discard)
	fmt.Println(listener.Addr())
	fleet := registry.NewEtcdRegistry(client.NewKeysAPI(etcd), "/_coreos.com/fleet/")
	go http.Serve(listener, api.NewServeMux(fleet, 100))
	io.Copy(io.Discard, os.Stdin)
}
