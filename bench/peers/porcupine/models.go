package main

import (
	"hash/fnv"
	"sort"

	"github.com/anishathalye/porcupine"
)

const (
	readOp = iota
	writeOp
	casOp
)

// absent stands for a register nobody has written.
const absent = -1 << 40

type registerInput struct{ op, a, b int }

type registerOutput struct {
	value            int
	swapped, unknown bool
}

var register = porcupine.Model{
	Init: func() any { return absent },
	Step: func(state, input, output any) (bool, any) {
		in, out, value := input.(registerInput), output.(registerOutput), state.(int)
		switch in.op {
		case readOp:
			return out.unknown || out.value == value, value
		case writeOp:
			return true, in.a
		default:
			swaps := in.a == value
			if swaps {
				value = in.b
			}
			return out.unknown || out.swapped == swaps, value
		}
	},
}

type keyValueInput struct{ op, key, value string }

type keyValueOutput struct {
	value   string
	unknown bool
}

// keyValue partitions by key and hashes its states, as Porcupine's own test model does.
var keyValue = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byKey := map[string][]porcupine.Operation{}
		for _, operation := range history {
			key := operation.Input.(keyValueInput).key
			byKey[key] = append(byKey[key], operation)
		}
		return inOrder(byKey)
	},
	PartitionEvent: func(history []porcupine.Event) [][]porcupine.Event {
		byKey := map[string][]porcupine.Event{}
		keys := map[int]string{}
		for _, event := range history {
			if event.Kind == porcupine.CallEvent {
				keys[event.Id] = event.Value.(keyValueInput).key
			}
			byKey[keys[event.Id]] = append(byKey[keys[event.Id]], event)
		}
		return inOrder(byKey)
	},
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		in, out, value := input.(keyValueInput), output.(keyValueOutput), state.(string)
		switch in.op {
		case "get":
			return out.unknown || out.value == value, value
		case "put":
			return true, in.value
		default:
			return true, value + in.value
		}
	},
	Hash: func(state any) uint64 {
		hash := fnv.New64a()
		hash.Write([]byte(state.(string)))
		return hash.Sum64()
	},
}

func inOrder[T any](byKey map[string][]T) [][]T {
	keys := make([]string, 0, len(byKey))
	for key := range byKey {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	parts := make([][]T, 0, len(keys))
	for _, key := range keys {
		parts = append(parts, byKey[key])
	}
	return parts
}
