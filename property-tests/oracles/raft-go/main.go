// Command raft-oracle answers interaction scripts with the Raft library itself.
//
// Each line of standard input is a JSON string: a script in the format of cockroachdb/datadriven,
// whose expected outputs, if it has any, are ignored. Each is answered by one line on standard
// output: a JSON array with the output of every directive, in order. A directive that panics is
// answered by "panic: " and what it panicked with, one that the harness refuses as a broken test by
// "refused"; either ends its script. Built with the tag with_tla, each output ends with the events
// that the directive made the library trace, one a line.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"github.com/cockroachdb/datadriven"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/rafttest"
)

// randSeed decides whether protobuf's text format puts one space or two between fields. It is a hash
// of the program, so the text would differ from build to build; odd means two.
//
//go:linkname randSeed google.golang.org/protobuf/internal/detrand.randSeed
var randSeed uint64

func main() {
	randSeed = 1
	// What storages panic with goes through the library's own logger; the text comes with the panic.
	raft.SetLogger(&raft.DefaultLogger{Logger: log.New(io.Discard, "", 0)})
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	answers := make(chan chan []string, 50)
	done := make(chan struct{})
	go func() {
		defer close(done)
		encoder := json.NewEncoder(os.Stdout)
		encoder.SetEscapeHTML(false)
		for answered := range answers {
			if err := encoder.Encode(<-answered); err != nil {
				fail(err)
			}
		}
	}()
	for {
		line, err := in.ReadBytes('\n')
		if len(line) == 0 && err != nil {
			close(answers)
			<-done
			return
		}
		var script string
		if err := json.Unmarshal(line, &script); err != nil {
			fail(err)
		}
		answers <- start(script)
	}
}

// start answers a script in the background: the library, when it traces, sleeps with every message.
func start(script string) chan []string {
	answered := make(chan []string, 1)
	go func() { answered <- answer(script) }()
	return answered
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func answer(script string) []string {
	var trace trace
	env := rafttest.NewInteractionEnv(&rafttest.InteractionOpts{
		OnConfig:                     trace.attach,
		SetRandomizedElectionTimeout: setRandomizedElectionTimeout,
	})
	outputs := []string{}
	for _, directive := range parse(script) {
		output, alive := handle(env, directive)
		outputs = append(outputs, output+trace.take())
		if !alive {
			break
		}
	}
	return outputs
}

// handle runs one directive in a goroutine of its own, which a fatal test error ends.
func handle(env *rafttest.InteractionEnv, directive datadriven.TestData) (output string, alive bool) {
	output = "refused"
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if text := recover(); text != nil {
				output, alive = fmt.Sprintf("panic: %v", text), false
			}
		}()
		output = env.Handle(&testing.T{}, directive)
		alive = true
	}()
	<-done
	return output, alive
}

// setRandomizedElectionTimeout reaches a field that the library shows only to its own tests.
func setRandomizedElectionTimeout(node *raft.RawNode, timeout int) {
	core := reflect.ValueOf(node).Elem().FieldByName("raft").Elem()
	field := core.FieldByName("randomizedElectionTimeout")
	*(*int)(unsafe.Pointer(field.UnsafeAddr())) = timeout
}

// parse reads the directives and their inputs, and skips the outputs.
func parse(script string) []datadriven.TestData {
	var directives []datadriven.TestData
	lines := strings.Split(script, "\n")
	for at := 0; at < len(lines); at++ {
		line := strings.TrimSpace(lines[at])
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		cmd, args, err := datadriven.ParseLine(line)
		if err != nil {
			fail(fmt.Errorf("%q: %w", line, err))
		}
		var input []string
		for at++; at < len(lines) && lines[at] != "----"; at++ {
			input = append(input, lines[at])
		}
		for at++; at < len(lines) && strings.TrimSpace(lines[at]) != ""; at++ {
		}
		directives = append(directives, datadriven.TestData{
			Cmd:     cmd,
			CmdArgs: args,
			Input:   strings.TrimSpace(strings.Join(input, "\n")),
		})
	}
	return directives
}
