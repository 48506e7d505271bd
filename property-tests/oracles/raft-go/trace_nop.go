//go:build !with_tla

package main

import "go.etcd.io/raft/v3"

// trace stays empty: the library traces nothing when built without the tag.
type trace struct{}

func (*trace) attach(*raft.Config) {}

func (*trace) take() string { return "" }
