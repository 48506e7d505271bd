//go:build with_tla

package main

import (
	"encoding/json"
	"strings"

	"go.etcd.io/raft/v3"
)

// trace collects what the members of one environment trace, as lines of JSON.
type trace struct {
	lines strings.Builder
}

func (t *trace) attach(config *raft.Config) {
	config.TraceLogger = t
}

// TraceEvent is called by the library.
func (t *trace) TraceEvent(event *raft.TracingEvent) {
	text, err := json.Marshal(event)
	if err != nil {
		fail(err)
	}
	t.lines.WriteByte('\n')
	t.lines.Write(text)
}

// take returns the lines since the last time, each after a line break.
func (t *trace) take() string {
	defer t.lines.Reset()
	return t.lines.String()
}
