// A fleetd with `enable_grpc` as far as its unit registry goes: the registry of fleet 1.0 itself, which
// its mux leads to etcd or to the engine that leads, the server of that engine where it is this one, and
// the API over it. `mux ETCD_URLS MACHINE_ID PUBLIC_IP` prints the address of the API, then takes
// commands from standard input, a line of JSON each, and prints an answer to each when it has it, with
// the number of the command. Commands do not wait for each other. It ends when standard input does.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/coreos/etcd/client"
	"github.com/coreos/fleet/api"
	"github.com/coreos/fleet/engine"
	"github.com/coreos/fleet/job"
	"github.com/coreos/fleet/machine"
	"github.com/coreos/fleet/pkg/lease"
	"github.com/coreos/fleet/registry"
	"github.com/coreos/fleet/registry/rpc"
	"github.com/coreos/fleet/unit"
	sdunit "github.com/coreos/go-systemd/unit"
	"google.golang.org/grpc/grpclog"
)

const root = "/_coreos.com/fleet/"

func main() {
	etcd, err := client.New(client.Config{
		Endpoints:               strings.Split(os.Args[1], ","),
		HeaderTimeoutPerRequest: time.Second,
	})
	if err != nil {
		stdlog.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		stdlog.Fatal(err)
	}
	// Handlers panic, connections break: that is what is looked at here.
	quiet := stdlog.New(io.Discard, "", 0)
	grpclog.SetLogger(quiet)
	keys := client.NewKeysAPI(etcd)
	here := thisMachine{machine.MachineState{
		ID:           os.Args[2],
		PublicIP:     os.Args[3],
		Capabilities: machine.Capabilities{machine.CapGRPC: true},
	}}
	leases := lease.NewEtcdLeaseManager(keys, root)
	etcdRegistry := registry.NewEtcdRegistry(keys, root)
	mux := rpc.NewRegistryMux(etcdRegistry, here, leases)
	events := registry.NewEtcdEventStream(keys, root)
	own := engine.New(mux, leases, events, here, mux.EngineChanged)
	fmt.Println(listener.Addr())
	server := http.Server{Handler: api.NewServeMux(mux, 100), ErrorLog: quiet}
	go server.Serve(listener)
	var printing sync.Mutex
	answers := json.NewEncoder(os.Stdout)
	commands := json.NewDecoder(os.Stdin)
	for {
		var c command
		if err := commands.Decode(&c); err == io.EOF {
			return
		} else if err != nil {
			stdlog.Fatal(err)
		}
		go func() {
			value, err := c.do(mux, own)
			a := answer{ID: c.ID, Value: value}
			if err != nil {
				a.Error = err.Error()
			}
			printing.Lock()
			defer printing.Unlock()
			answers.Encode(a)
		}()
	}
}

// The machine that this program takes itself to be.
type thisMachine struct{ state machine.MachineState }

func (m thisMachine) State() machine.MachineState { return m.state }

type command struct {
	ID      int
	Call    string
	Unit    string
	Machine string
	// Of EngineChanged.
	Address string
	GRPC    bool
	// A target state.
	State   string
	Options []option
	Report  state
	// Seconds.
	TTL int
}

type answer struct {
	ID    int         `json:"id"`
	Error string      `json:"error"`
	Value interface{} `json:"value"`
}

// A unit as the registry has it.
type stored struct {
	Name    string       `json:"name"`
	State   job.JobState `json:"state"`
	Options []option     `json:"options"`
}

type option struct {
	Section string `json:"section"`
	Name    string `json:"name"`
	Value   string `json:"value"`
}

// A unit as it is scheduled.
type scheduled struct {
	Name    string        `json:"name"`
	Machine string        `json:"machine"`
	State   *job.JobState `json:"state"`
}

// A state that a machine has published.
type state struct {
	Name    string `json:"name"`
	Machine string `json:"machine"`
	Load    string `json:"load"`
	Active  string `json:"active"`
	Sub     string `json:"sub"`
	Hash    string `json:"hash"`
}

func (c command) do(mux *rpc.RegistryMux, own *engine.Engine) (interface{}, error) {
	ttl := time.Duration(c.TTL) * time.Second
	switch c.Call {
	case "EngineChanged":
		mux.EngineChanged(machine.MachineState{
			ID:           c.Machine,
			PublicIP:     c.Address,
			Capabilities: machine.Capabilities{machine.CapGRPC: c.GRPC},
		})
	case "ConnectToRegistry":
		// As where `disable_engine` is set. It never comes back.
		mux.ConnectToRegistry(own)
	case "RunEngine":
		own.Run(time.Second, make(chan struct{}))
	case "IsRegistryReady":
		return mux.IsRegistryReady(), nil
	case "UseEtcdRegistry":
		return mux.UseEtcdRegistry(), nil
	case "GetUnits":
		units, err := mux.Units()
		all := make([]stored, len(units))
		for i := range units {
			all[i] = storedOf(&units[i])
		}
		return all, err
	case "GetUnit":
		u, err := mux.Unit(c.Unit)
		if u == nil {
			return nil, err
		}
		return storedOf(u), err
	case "GetScheduledUnits":
		units, err := mux.Schedule()
		all := make([]scheduled, len(units))
		for i, u := range units {
			all[i] = scheduled{u.Name, u.TargetMachineID, u.State}
		}
		return all, err
	case "GetScheduledUnit":
		u, err := mux.ScheduledUnit(c.Unit)
		if u == nil {
			return nil, err
		}
		return scheduled{u.Name, u.TargetMachineID, u.State}, err
	case "GetUnitStates":
		states, err := mux.UnitStates()
		all := make([]state, len(states))
		for i, s := range states {
			all[i] = stateOf(s)
		}
		return all, err
	case "GetUnitState":
		s, err := mux.UnitState(c.Unit)
		if s == nil {
			return nil, err
		}
		return stateOf(s), err
	case "CreateUnit":
		return nil, mux.CreateUnit(&job.Unit{Name: c.Unit, Unit: *c.file(), TargetState: job.JobState(c.State)})
	case "DestroyUnit":
		return nil, mux.DestroyUnit(c.Unit)
	case "SetUnitTargetState":
		return nil, mux.SetUnitTargetState(c.Unit, job.JobState(c.State))
	case "ScheduleUnit":
		return nil, mux.ScheduleUnit(c.Unit, c.Machine)
	case "UnscheduleUnit":
		return nil, mux.UnscheduleUnit(c.Unit, c.Machine)
	case "UnitHeartbeat":
		return nil, mux.UnitHeartbeat(c.Unit, c.Machine, ttl)
	case "ClearUnitHeartbeat":
		mux.ClearUnitHeartbeat(c.Unit)
	case "SaveUnitState":
		r := c.Report
		mux.SaveUnitState(r.Name, &unit.UnitState{
			UnitName: r.Name, MachineID: r.Machine, UnitHash: r.Hash,
			LoadState: r.Load, ActiveState: r.Active, SubState: r.Sub,
		}, ttl)
	case "RemoveUnitState":
		return nil, mux.RemoveUnitState(c.Unit)
	default:
		return nil, fmt.Errorf("no such call: %s", c.Call)
	}
	return nil, nil
}

func (c command) file() *unit.UnitFile {
	options := make([]*sdunit.UnitOption, len(c.Options))
	for i, o := range c.Options {
		options[i] = sdunit.NewUnitOption(o.Section, o.Name, o.Value)
	}
	return unit.NewUnitFromOptions(options)
}

func storedOf(u *job.Unit) stored {
	options := make([]option, len(u.Unit.Options))
	for i, o := range u.Unit.Options {
		options[i] = option{o.Section, o.Name, o.Value}
	}
	return stored{u.Name, u.TargetState, options}
}

func stateOf(s *unit.UnitState) state {
	return state{s.UnitName, s.MachineID, s.LoadState, s.ActiveState, s.SubState, s.UnitHash}
}
