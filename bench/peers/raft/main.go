// Command raft drives etcd's Raft library as the benchmark beside it drives ours, and prints the
// seconds it took. See bench/raft.ts for the loop; it is the same here, line by line.
package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
)

const (
	payloadBytes = 256
	keep         = 5_000
)

type member struct {
	node    *raft.RawNode
	storage *raft.MemoryStorage
	applied uint64
}

type group struct {
	members []*member
	entries int
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: raft MEMBERS BATCH ENTRIES")
		os.Exit(2)
	}
	size, batch, entries := integer(os.Args[1]), integer(os.Args[2]), integer(os.Args[3])
	g := newGroup(size)
	leader := g.members[0]
	payload := bytes.Repeat([]byte("x"), payloadBytes)
	proposals := make([]*pb.Entry, batch)
	for i := range proposals {
		proposals[i] = &pb.Entry{Data: payload}
	}
	propose := func(count int) {
		for done := 0; done < count; done += batch {
			must(leader.node.Step(&pb.Message{Type: pb.MsgProp.Enum(), From: new(uint64(1)), Entries: proposals}))
			g.settle()
		}
	}
	propose(entries / 10)
	g.entries = 0
	start := time.Now()
	propose(entries)
	seconds := time.Since(start).Seconds()
	if g.entries != entries*size {
		must(fmt.Errorf("%d members applied %d entries of %d", size, g.entries, entries))
	}
	fmt.Printf("%.9f\n", seconds)
}

func newGroup(size int) *group {
	voters := make([]uint64, size)
	for i := range voters {
		voters[i] = uint64(i + 1)
	}
	g := &group{}
	for _, id := range voters {
		storage := raft.NewMemoryStorage()
		must(storage.ApplySnapshot(&pb.Snapshot{Metadata: &pb.SnapshotMetadata{
			Index: new(uint64(1)), Term: new(uint64(1)), ConfState: &pb.ConfState{Voters: voters},
		}}))
		node, err := raft.NewRawNode(&raft.Config{
			ID:              id,
			ElectionTick:    10,
			HeartbeatTick:   1,
			Storage:         storage,
			Applied:         1,
			MaxSizePerMsg:   1024 * 1024,
			MaxInflightMsgs: 512,
			CheckQuorum:     true,
			PreVote:         true,
			Logger:          silent{},
		})
		must(err)
		g.members = append(g.members, &member{node: node, storage: storage, applied: 1})
	}
	must(g.members[0].node.Campaign())
	g.settle()
	return g
}

// settle handles Readys and delivers messages until nothing is left to do.
func (g *group) settle() {
	for worked := true; worked; {
		worked = false
		for _, m := range g.members {
			if m.node.HasReady() {
				worked = true
				g.handle(m)
			}
		}
	}
}

func (g *group) handle(m *member) {
	ready := m.node.Ready()
	if !raft.IsEmptyHardState(ready.HardState) {
		must(m.storage.SetHardState(ready.HardState))
	}
	must(m.storage.Append(ready.Entries))
	if committed := ready.CommittedEntries; len(committed) > 0 {
		g.entries += len(committed)
		m.applied = committed[len(committed)-1].GetIndex()
	}
	m.node.Advance(ready)
	for _, message := range ready.Messages {
		must(g.members[message.GetTo()-1].node.Step(message))
	}
	first, err := m.storage.FirstIndex()
	must(err)
	if m.applied > first+2*keep {
		_, err := m.storage.CreateSnapshot(m.applied, nil, nil)
		must(err)
		must(m.storage.Compact(m.applied - keep))
	}
}

// silent takes what the library logs and does nothing with it.
type silent struct{}

func (silent) Debug(...any)              {}
func (silent) Debugf(string, ...any)     {}
func (silent) Error(...any)              {}
func (silent) Errorf(string, ...any)     {}
func (silent) Info(...any)               {}
func (silent) Infof(string, ...any)      {}
func (silent) Warning(...any)            {}
func (silent) Warningf(string, ...any)   {}
func (silent) Fatal(v ...any)            { panic(fmt.Sprint(v...)) }
func (silent) Fatalf(f string, v ...any) { panic(fmt.Sprintf(f, v...)) }
func (silent) Panic(v ...any)            { panic(fmt.Sprint(v...)) }
func (silent) Panicf(f string, v ...any) { panic(fmt.Sprintf(f, v...)) }

func integer(text string) int {
	value, err := strconv.Atoi(text)
	must(err)
	return value
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
