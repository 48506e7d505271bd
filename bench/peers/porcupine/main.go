// Command porcupine checks the histories of a folder with Porcupine and prints the time it took.
// It reads the same files as the benchmark beside it, with rules of its own; the checks alone are
// timed, one after another, each with all the parallelism Porcupine has.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

type check struct {
	name         string
	linearizable bool
	run          func() bool
}

type resultRow struct {
	Name  string  `json:"name"`
	Ms    float64 `json:"ms"`
	Right bool    `json:"right"`
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: porcupine FOLDER REPEATS")
		os.Exit(2)
	}
	repeats, err := strconv.Atoi(os.Args[2])
	must(err)
	checks := append(recorded(os.Args[1]), random(os.Args[1])...)
	rows := make([]resultRow, len(checks))
	for repeat := 0; repeat < repeats; repeat++ {
		for i, c := range checks {
			start := time.Now()
			answer := c.run()
			ms := float64(time.Since(start).Nanoseconds()) / 1e6
			if repeat == 0 || ms < rows[i].Ms {
				rows[i] = resultRow{c.name, ms, answer == c.linearizable}
			}
		}
	}
	must(json.NewEncoder(os.Stdout).Encode(rows))
}

func recorded(folder string) []check {
	var rows []struct {
		File, Model  string
		Linearizable bool
	}
	must(json.Unmarshal(read(filepath.Join(folder, "verdicts.json")), &rows))
	var checks []check
	for _, row := range rows {
		lines := strings.Split(string(read(filepath.Join(folder, row.File))), "\n")
		events, model := registerEvents(lines), register
		if row.Model == "kv-put-get-append" {
			events, model = keyValueEvents(lines), keyValue
		}
		run := func() bool { return porcupine.CheckEvents(model, events) }
		checks = append(checks, check{row.File, row.Linearizable, run})
	}
	return checks
}

func random(folder string) []check {
	file, err := os.Open(filepath.Join(folder, "kv-random.jsonl"))
	must(err)
	defer file.Close()
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 1<<26)
	var checks []check
	for scanner.Scan() {
		var row struct {
			ID           string
			Linearizable bool
			Ops          [][]any
		}
		must(json.Unmarshal(scanner.Bytes(), &row))
		operations := keyValueOperations(row.Ops)
		run := func() bool { return porcupine.CheckOperations(keyValue, operations) }
		checks = append(checks, check{row.ID, row.Linearizable, run})
	}
	must(scanner.Err())
	return checks
}

var jepsenLine = regexp.MustCompile(`^INFO\s+jepsen\.util\s+-\s+(\d+)\s+:(\w+)\s+:(\w+)\s+(.*?)\s*$`)
var ednLine = regexp.MustCompile(`^\{:process (\d+), :type :(invoke|ok), :f :(\w+), :key "(.*)", :value (?:nil|"(.*)")\}`)

// log collects events, and returns what is still open at the end with an unknown result.
type log struct {
	events []porcupine.Event
	open   map[int]int
	next   int
}

func (l *log) call(client int, input any) {
	l.events = append(l.events, porcupine.Event{ClientId: client, Kind: porcupine.CallEvent, Value: input, Id: l.next})
	l.open[client] = l.next
	l.next++
}

func (l *log) ret(client int, output any) {
	l.events = append(l.events, porcupine.Event{ClientId: client, Kind: porcupine.ReturnEvent, Value: output, Id: l.open[client]})
	delete(l.open, client)
}

func (l *log) end(unknown any) []porcupine.Event {
	calls := map[int]bool{}
	for _, event := range l.events {
		calls[event.Id] = !calls[event.Id]
	}
	for id := 0; id < l.next; id++ {
		if calls[id] {
			l.events = append(l.events, porcupine.Event{Kind: porcupine.ReturnEvent, Value: unknown, Id: id})
		}
	}
	return l.events
}

func registerEvents(lines []string) []porcupine.Event {
	l := log{open: map[int]int{}}
	for _, line := range lines {
		m := jepsenLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		client := integer(m[1])
		switch m[2] + " " + m[3] {
		case "invoke read":
			l.call(client, registerInput{op: readOp})
		case "invoke write":
			l.call(client, registerInput{op: writeOp, a: integer(m[4])})
		case "invoke cas":
			pair := strings.Fields(strings.Trim(m[4], "[]"))
			l.call(client, registerInput{op: casOp, a: integer(pair[0]), b: integer(pair[1])})
		case "ok read":
			value := absent
			if m[4] != "nil" {
				value = integer(m[4])
			}
			l.ret(client, registerOutput{value: value})
		case "ok write":
			l.ret(client, registerOutput{})
		case "ok cas", "fail cas":
			l.ret(client, registerOutput{swapped: m[2] == "ok"})
		case "fail read":
			if m[4] == ":timed-out" {
				l.ret(client, registerOutput{unknown: true})
			}
		}
	}
	return l.end(registerOutput{unknown: true})
}

func keyValueEvents(lines []string) []porcupine.Event {
	l := log{open: map[int]int{}}
	for _, line := range lines {
		m := ednLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if m[2] == "invoke" {
			l.call(integer(m[1]), keyValueInput{op: m[3], key: m[4], value: m[5]})
		} else {
			l.ret(integer(m[1]), keyValueOutput{value: m[5]})
		}
	}
	return l.end(keyValueOutput{unknown: true})
}

func keyValueOperations(rows [][]any) []porcupine.Operation {
	last := int64(0)
	for _, row := range rows {
		for _, time := range row[4:6] {
			if t, ok := time.(float64); ok {
				last = max(last, int64(t))
			}
		}
	}
	var operations []porcupine.Operation
	for _, row := range rows {
		input := keyValueInput{op: row[1].(string), key: row[2].(string), value: row[3].(string)}
		end, returned := row[5].(float64)
		if !returned {
			end = float64(last + 1)
		}
		operations = append(operations, porcupine.Operation{
			ClientId: int(row[0].(float64)),
			Input:    input,
			Output:   keyValueOutput{value: input.value, unknown: !returned},
			Call:     int64(row[4].(float64)),
			Return:   int64(end),
		})
	}
	return operations
}

func integer(text string) int {
	value, err := strconv.Atoi(text)
	must(err)
	return value
}

func read(path string) []byte {
	bytes, err := os.ReadFile(path)
	must(err)
	return bytes
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
