// Judges a history of registers with porcupine, for `harness bench --checkers`.
//
//	porcupine MODEL FILE
//
// FILE holds events as JSON lines (workloads/FORMATS.md) of reads, writes and compare-and-sets; every
// MODEL of the benchmark has these operations. Prints the CPU seconds of the check alone, without
// reading the file, and exits with 0 if the history is linearizable, with 1 if not, else with 2.
// How to build it is in workloads/PERFORMANCE.md.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"syscall"

	"github.com/anishathalye/porcupine"
)

// An event as it is in the file.
type line struct {
	Process json.RawMessage `json:"process"`
	Type    string          `json:"type"`
	F       string          `json:"f"`
	Key     json.RawMessage `json:"key"`
	Value   json.RawMessage `json:"value"`
}

type value = int64

// Stands for null, the value at first.
const nothing value = math.MinInt64

type input struct {
	f        string
	key      string
	expected value
	written  value
}

type output struct {
	known bool
	read  value
}

// A call whose end has not been seen.
type open struct {
	event int
	input input
}

var registers = porcupine.Model{
	PartitionEvent: partition,
	Init:           func() interface{} { return nothing },
	Step: func(state, in, out interface{}) (bool, interface{}) {
		operation, result := in.(input), out.(output)
		switch operation.f {
		case "write":
			return true, operation.written
		case "cas":
			if state.(value) == operation.expected {
				return true, operation.written
			}
			// One that is known to have succeeded must find what it expects.
			return !result.known, state
		default:
			return !result.known || result.read == state.(value), state
		}
	},
	Equal: func(one, other interface{}) bool { return one.(value) == other.(value) },
	Hash:  func(state interface{}) uint64 { return uint64(state.(value)) * 0x9e3779b97f4a7c15 },
}

func partition(history []porcupine.Event) [][]porcupine.Event {
	numbers := map[string]int{}
	of := map[int]int{}
	var parts [][]porcupine.Event
	for _, event := range history {
		if event.Kind == porcupine.CallEvent {
			key := event.Value.(input).key
			number, found := numbers[key]
			if !found {
				number = len(parts)
				numbers[key] = number
				parts = append(parts, nil)
			}
			of[event.Id] = number
		}
		number := of[event.Id]
		parts[number] = append(parts[number], event)
	}
	return parts
}

// Reads the events. Operations that failed, and reads whose result nobody learned, are left out: they
// say nothing. Others whose outcome is unknown return at the end.
func read(file io.Reader) ([]porcupine.Event, error) {
	var events []porcupine.Event
	calls := map[string]open{}
	dropped := map[int]bool{}
	decoder := json.NewDecoder(file)
	for {
		var it line
		if err := decoder.Decode(&it); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		process := string(it.Process)
		if process == `"nemesis"` {
			continue
		}
		if it.Type == "invoke" {
			operation, err := call(it)
			if err != nil {
				return nil, err
			}
			calls[process] = open{len(events), operation}
			events = append(events, porcupine.Event{
				Kind: porcupine.CallEvent, Value: operation, Id: len(events),
			})
			continue
		}
		begun, found := calls[process]
		if !found {
			return nil, fmt.Errorf("process %s completes what it never invoked", process)
		}
		switch {
		case it.Type == "ok":
			result := output{known: true}
			if begun.input.f == "read" {
				if err := number(it.Value, &result.read); err != nil {
					return nil, err
				}
			}
			events = append(events, porcupine.Event{
				Kind: porcupine.ReturnEvent, Value: result, Id: begun.event,
			})
			delete(calls, process)
		case it.Type == "fail":
			dropped[begun.event] = true
			delete(calls, process)
		}
	}
	for _, begun := range calls {
		if begun.input.f == "read" {
			dropped[begun.event] = true
			continue
		}
		events = append(events, porcupine.Event{
			Kind: porcupine.ReturnEvent, Value: output{}, Id: begun.event,
		})
	}
	kept := events[:0]
	for _, event := range events {
		if !dropped[event.Id] {
			kept = append(kept, event)
		}
	}
	return kept, nil
}

func call(it line) (input, error) {
	operation := input{f: it.F, key: string(it.Key)}
	switch it.F {
	case "read":
		return operation, nil
	case "write":
		return operation, number(it.Value, &operation.written)
	case "cas":
		var both []json.RawMessage
		if err := json.Unmarshal(it.Value, &both); err != nil || len(both) != 2 {
			return operation, fmt.Errorf("expected [expected, new], got %s", it.Value)
		}
		if err := number(both[0], &operation.expected); err != nil {
			return operation, err
		}
		return operation, number(both[1], &operation.written)
	}
	return operation, fmt.Errorf("expected read, write or cas, got %s", it.F)
}

func number(text json.RawMessage, into *value) error {
	if text == nil || string(text) == "null" {
		*into = nothing
		return nil
	}
	return json.Unmarshal(text, into)
}

func seconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	sum := usage.Utime.Nano() + usage.Stime.Nano()
	return float64(sum) / 1e9
}

func main() {
	if len(os.Args) != 3 {
		fail("usage: porcupine MODEL FILE")
	}
	file, err := os.Open(os.Args[2])
	if err != nil {
		fail(err)
	}
	events, err := read(file)
	if err != nil {
		fail(err)
	}
	before := seconds()
	linearizable := porcupine.CheckEvents(registers, events)
	fmt.Println(seconds() - before)
	if !linearizable {
		os.Exit(1)
	}
}

func fail(reason interface{}) {
	fmt.Fprintln(os.Stderr, "porcupine:", reason)
	os.Exit(2)
}
