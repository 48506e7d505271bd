// The API server of fleet 1.0 itself, over the etcd it is given: `fleet-go ETCD_URLS [MACHINE_ID]`. It
// prints the address it listens on, and ends when standard input does. With the ID of a machine its
// engine runs, too, as that machine's, a pass each second.
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
	"github.com/coreos/fleet/engine"
	"github.com/coreos/fleet/machine"
	"github.com/coreos/fleet/pkg/lease"
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
	const root = "/_coreos.com/fleet/"
	keys := client.NewKeysAPI(etcd)
	fleet := registry.NewEtcdRegistry(keys, root)
	if len(os.Args) > 2 {
		leases := lease.NewEtcdLeaseManager(keys, root)
		events := registry.NewEtcdEventStream(keys, root)
		here := thisMachine{machine.MachineState{ID: os.Args[2]}}
		go engine.New(fleet, leases, events, here, nil).Run(time.Second, make(chan struct{}))
	}
	go http.Serve(listener, api.NewServeMux(fleet, 100))
	io.Copy(io.Discard, os.Stdin)
}

// The machine that the engine takes itself to be on.
type thisMachine struct{ state machine.MachineState }

func (m thisMachine) State() machine.MachineState { return m.state }
