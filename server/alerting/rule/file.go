package rule

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Limits of a rule file.
const (
	MaxFileBytes = 8 << 20
	MaxRules     = 10_000
)

// PositionError says what is wrong with a rule file and where.
type PositionError struct {
	File         string
	Line, Column int // from 1
	Err          error
}

// Error implements error.
func (e *PositionError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %v", e.File, e.Line, e.Column, e.Err)
}

// Unwrap returns the cause.
func (e *PositionError) Unwrap() error { return e.Err }

// ReadFile is Parse of a file's content.
func ReadFile(path string) ([]Rule, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	return Parse(path, text)
}

// Parse reads a rule file. File is only used in errors, which are *PositionError.
func Parse(file string, text []byte) ([]Rule, error) {
	p := parser{file: file, names: map[string]bool{}}
	if len(text) > MaxFileBytes {
		return nil, p.fault(nil, "file has %d bytes; at most %d are allowed", len(text), MaxFileBytes)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document, more yaml.Node
	if err := decoder.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("file is empty; it must hold groups")
		}
		return nil, p.yamlError(err)
	}
	switch err := decoder.Decode(&more); {
	case err == nil:
		return nil, p.fault(&more, "only one YAML document is allowed")
	case !errors.Is(err, io.EOF):
		return nil, p.yamlError(err)
	}
	if err := p.groups(document.Content[0]); err != nil {
		return nil, err
	}
	return p.rules, nil
}

type parser struct {
	file  string
	rules []Rule
	names map[string]bool // alert name and labels of every rule, which must differ
}

func (p *parser) fault(at *yaml.Node, format string, args ...any) error {
	e := &PositionError{File: p.file, Line: 1, Column: 1, Err: fmt.Errorf(format, args...)}
	if at != nil && at.Line > 0 {
		e.Line, e.Column = at.Line, at.Column
	}
	return e
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// yamlError moves the line that the YAML parser names to where it is looked for.
func (p *parser) yamlError(err error) error {
	at := &yaml.Node{Line: 1, Column: 1}
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil && m[1] != "" {
		at.Line, _ = strconv.Atoi(m[1]) // digits, by the expression
	}
	return p.fault(at, "%s", firstLine(yamlLine.ReplaceAllString(err.Error(), "")))
}

func (p *parser) groups(root *yaml.Node) error {
	top, err := p.mapping(root, "rule file", []string{"groups"}, nil)
	if err != nil {
		return err
	}
	groups, err := p.sequence(top["groups"], root, "groups")
	if err != nil {
		return err
	}
	for _, group := range groups {
		if err := p.group(group); err != nil {
			return err
		}
	}
	if len(p.rules) == 0 {
		return p.fault(root, "file holds no rule")
	}
	return nil
}

// Keys that Prometheus knows and this platform does not, with what to do instead.
var (
	groupHints = map[string]string{
		"interval": "-alerting stream needs none, and -alert-interval is that of poll", "limit": "leave it out", "query_offset": "leave it out",
	}
	ruleHints = map[string]string{
		"record": "recording rules are not known here",
	}
)

func (p *parser) group(node *yaml.Node) error {
	group, err := p.mapping(node, "group", []string{"name", "labels", "rules"}, groupHints)
	if err != nil {
		return err
	}
	name, err := p.text(group["name"], node, "name")
	if err != nil {
		return err
	}
	labels, err := p.labels(group["labels"])
	if err != nil {
		return err
	}
	rules, err := p.sequence(group["rules"], node, "rules")
	if err != nil {
		return err
	}
	for _, r := range rules {
		if err := p.rule(r, name, labels); err != nil {
			return err
		}
	}
	return nil
}

// rule reads a rule of a group, of which it takes the labels that it does not set itself.
func (p *parser) rule(node *yaml.Node, group string, labels map[string]string) error {
	fields, err := p.mapping(node, "rule", []string{"alert", "expr", "for", "keep_firing_for", "labels", "annotations"}, ruleHints)
	if err != nil {
		return err
	}
	if len(p.rules) == MaxRules {
		return p.fault(node, "more than %d rules", MaxRules)
	}
	r := Rule{Group: group}
	if r.Alert, err = p.text(fields["alert"], node, "alert"); err != nil {
		return err
	}
	if strings.TrimSpace(r.Alert) == "" {
		return p.fault(fields["alert"], "alert has no name")
	}
	expr, err := p.text(fields["expr"], node, "expr")
	if err != nil {
		return err
	}
	if err := r.parseExpr(expr); err != nil {
		return p.fault(fields["expr"], "%w", err)
	}
	if err := p.optional(&r, fields); err != nil {
		return err
	}
	for name, text := range labels {
		if _, ok := r.Labels[name]; !ok {
			if r.Labels == nil {
				r.Labels = map[string]string{}
			}
			r.Labels[name] = text
		}
	}
	identity := fmt.Sprintf("%q %q", r.Alert, r.Labels)
	if p.names[identity] {
		return p.fault(node, "alert %s stands twice with the same labels", shorten(r.Alert))
	}
	p.names[identity] = true
	p.rules = append(p.rules, r)
	return nil
}

// optional reads what a rule may leave out.
func (p *parser) optional(r *Rule, fields map[string]*yaml.Node) (err error) {
	for name, into := range map[string]*time.Duration{"for": &r.For, "keep_firing_for": &r.KeepFiringFor} {
		node := fields[name]
		if node == nil {
			continue
		}
		text, err := p.text(node, node, name)
		if err != nil {
			return err
		}
		if *into, err = duration(text); err != nil {
			return p.fault(node, "%s: %w", name, err)
		}
	}
	if r.Labels, err = p.labels(fields["labels"]); err != nil {
		return err
	}
	r.Annotations, err = p.texts(fields["annotations"], "annotation")
	return err
}

func (p *parser) labels(node *yaml.Node) (map[string]string, error) {
	labels, err := p.texts(node, "label")
	if _, ok := labels["alertname"]; ok {
		return nil, p.fault(node, "label alertname is set by alert:")
	}
	return labels, err
}

// mapping returns the values of a YAML mapping whose keys are all known.
func (p *parser) mapping(node *yaml.Node, what string, known []string, hints map[string]string) (map[string]*yaml.Node, error) {
	node = resolve(node)
	if node.Kind != yaml.MappingNode {
		return nil, p.fault(node, "%s must be a mapping with %s", what, strings.Join(known, ", "))
	}
	values := map[string]*yaml.Node{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := resolve(node.Content[i])
		if hint, ok := hints[key.Value]; ok {
			return nil, p.fault(key, "%s: %s is not supported: %s", what, shorten(key.Value), hint)
		}
		if !slices.Contains(known, key.Value) {
			return nil, p.fault(key, "%s: unknown field %s; known are %s", what, shorten(key.Value), strings.Join(known, ", "))
		}
		if values[key.Value] != nil {
			return nil, p.fault(key, "%s: field %s stands twice", what, shorten(key.Value))
		}
		values[key.Value] = resolve(node.Content[i+1])
	}
	return values, nil
}

func (p *parser) sequence(node, parent *yaml.Node, what string) ([]*yaml.Node, error) {
	if node == nil {
		return nil, p.fault(parent, "%s is missing", what)
	}
	if node.Kind != yaml.SequenceNode {
		return nil, p.fault(node, "%s must be a list", what)
	}
	return node.Content, nil
}

func (p *parser) text(node, parent *yaml.Node, what string) (string, error) {
	if node == nil {
		return "", p.fault(parent, "%s is missing", what)
	}
	if node.Kind != yaml.ScalarNode || node.Tag == "!!null" {
		return "", p.fault(node, "%s must be a text", what)
	}
	return node.Value, nil
}

var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// texts reads labels or annotations.
func (p *parser) texts(node *yaml.Node, what string) (map[string]string, error) {
	if node == nil {
		return nil, nil
	}
	if node.Kind != yaml.MappingNode {
		return nil, p.fault(node, "%ss must be a mapping", what)
	}
	texts := map[string]string{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := resolve(node.Content[i]), resolve(node.Content[i+1])
		if !labelName.MatchString(key.Value) {
			return nil, p.fault(key, "%s name %s may hold letters, digits and _ only", what, shorten(key.Value))
		}
		if _, ok := texts[key.Value]; ok {
			return nil, p.fault(key, "%s %s stands twice", what, key.Value)
		}
		text, err := p.text(value, value, what+" "+key.Value)
		if err != nil {
			return nil, err
		}
		if err := checkTemplates(text); err != nil {
			return nil, p.fault(value, "%s %s: %w", what, key.Value, err)
		}
		texts[key.Value] = text
	}
	return texts, nil
}

// resolve follows a YAML alias.
func resolve(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}
