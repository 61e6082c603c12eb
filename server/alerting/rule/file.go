package rule

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"syscall"

	"go.yaml.in/yaml/v3"

	"phase0/server/alerting"
)

// Limits of a rule file.
const (
	MaxFileBytes = 8 << 20
	MaxRules     = 10_000
	// MaxFaults bounds what is said about one file.
	MaxFaults = 20
)

// unreadable is the error about a file that is not there, or not what rules are read from.
type unreadable struct{ error }

func (e unreadable) Unwrap() error        { return e.error }
func (e unreadable) Is(target error) bool { return target == alerting.ErrUnreadable }

// ReadFile is Parse of a file's content. Errors about the file itself are
// alerting.ErrUnreadable.
func ReadFile(path string) ([]Rule, error) {
	text, err := readRegular(path)
	if err != nil {
		return nil, unreadable{fmt.Errorf("read rules: %w", err)}
	}
	return Parse(path, text)
}

// readRegular reads a file, and a byte too much of one that is too long. It waits for
// nothing: a pipe is refused, and not opened for as long as nobody writes to it.
func readRegular(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s is a directory", path)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	return io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
}

// Parse reads a rule file. File is only used in errors, which are *Faults.
func Parse(file string, text []byte) ([]Rule, error) {
	p := parser{file: file, text: text, names: map[string]bool{}, groupNames: map[string]bool{}}
	if root := p.document(); root != nil {
		p.groups(root)
	}
	if err := p.faults.err(); err != nil {
		return nil, err
	}
	return p.rules, nil
}

// document returns the only YAML document of the file, nil when there is none to read.
func (p *parser) document() *yaml.Node {
	if len(p.text) > MaxFileBytes {
		p.fault(nil, "file has %d bytes; at most %d are allowed", len(p.text), MaxFileBytes)
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(p.text))
	var document, more yaml.Node
	if err := decoder.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("file is empty; it must hold groups")
		}
		p.yamlFault(err)
		return nil
	}
	switch err := decoder.Decode(&more); {
	case err == nil:
		p.fault(&more, "only one YAML document is allowed")
		return nil
	case !errors.Is(err, io.EOF):
		p.yamlFault(err)
		return nil
	}
	return document.Content[0]
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// yamlFault moves the line that the YAML parser names to where it is looked for.
func (p *parser) yamlFault(err error) {
	at := &yaml.Node{Line: 1, Column: 1}
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil && m[1] != "" {
		at.Line, _ = strconv.Atoi(m[1]) // digits, by the expression
	}
	p.fault(at, "%s", firstLine(yamlLine.ReplaceAllString(err.Error(), "")))
}
