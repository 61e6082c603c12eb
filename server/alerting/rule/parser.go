package rule

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Limits of the labels, and of the annotations, of a rule: a file may repeat them in each
// without holding them more than once.
const (
	maxTexts     = 64
	maxTextBytes = 16 << 10
)

// parser notes everything that is wrong and goes on. What it could not read has its zero
// value meanwhile; of a file with faults nothing is used.
type parser struct {
	file       string
	text       []byte
	faults     Faults
	rules      []Rule
	read       int             // rules, with those that have faults
	names      map[string]bool // alert name and labels of every rule, which must differ
	groupNames map[string]bool
}

func (p *parser) groups(root *yaml.Node) {
	top := p.mapping(root, "rule file", []string{"groups"}, nil)
	for _, group := range p.sequence(top, "groups") {
		p.group(group)
	}
	if len(p.rules) == 0 && len(p.faults.First) == 0 {
		p.fault(root, "file holds no rule")
	}
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

func (p *parser) group(node *yaml.Node) {
	group := p.mapping(node, "group", []string{"name", "labels", "rules"}, groupHints)
	name, named := p.required(group, "name")
	if named && p.groupNames[name] {
		p.fault(group.values["name"], "group %s stands twice", shorten(name))
	}
	if named {
		p.groupNames[name] = true
	}
	labels := p.labels(group.values["labels"])
	for _, r := range p.sequence(group, "rules") {
		if p.read++; p.read > MaxRules {
			p.tooMany(r)
			return
		}
		p.rule(r, name, labels)
	}
}

// tooMany notes once that there are more rules than may be.
func (p *parser) tooMany(node *yaml.Node) {
	if p.read == MaxRules+1 {
		p.fault(node, "more than %d rules", MaxRules)
	}
}

// rule reads a rule of a group, of which it takes the labels that it does not set itself.
func (p *parser) rule(node *yaml.Node, group string, labels map[string]string) {
	before := len(p.faults.First) + p.faults.More
	m := p.mapping(node, "rule", []string{"alert", "expr", "for", "keep_firing_for", "labels", "annotations"}, ruleHints)
	if !m.whole && m.values["alert"] == nil {
		return // a recording rule: the rest of it is of another kind
	}
	r := Rule{Group: group}
	var ok bool
	if r.Alert, ok = p.required(m, "alert"); ok && strings.TrimSpace(r.Alert) == "" {
		p.fault(m.values["alert"], "alert has no name")
	} else if len(r.Alert) > maxLabelBytes {
		p.fault(m.values["alert"], "alert name has %d bytes; at most %d are allowed", len(r.Alert), maxLabelBytes)
	}
	p.expr(&r, m)
	r.For = p.duration(m, "for")
	r.KeepFiringFor = p.duration(m, "keep_firing_for")
	r.Labels = p.labels(m.values["labels"])
	r.Annotations = p.texts(m.values["annotations"], "annotation")
	for name, text := range labels {
		if _, ok := r.Labels[name]; !ok {
			if r.Labels == nil {
				r.Labels = map[string]string{}
			}
			r.Labels[name] = text
		}
	}
	if len(p.faults.First)+p.faults.More > before {
		return
	}
	identity := fmt.Sprintf("%q %q", r.Alert, r.Labels)
	if p.names[identity] {
		p.fault(node, "alert %s stands twice with the same labels", shorten(r.Alert))
	}
	p.names[identity] = true
	p.rules = append(p.rules, r)
}

func (p *parser) expr(r *Rule, m fields) {
	text, ok := p.required(m, "expr")
	if !ok {
		return
	}
	if err := r.parseExpr(text); err != nil {
		p.faultIn(m.values["expr"], text, err)
	}
}

func (p *parser) duration(m fields, name string) time.Duration {
	node := m.values[name]
	if node == nil {
		return 0
	}
	text, ok := p.textOf(node, name)
	if !ok {
		return 0
	}
	d, err := duration(text)
	if err != nil {
		p.fault(node, "%s: %w", name, err)
	}
	return d
}

func (p *parser) labels(node *yaml.Node) map[string]string {
	labels := p.texts(node, "label")
	if _, ok := labels["alertname"]; ok {
		p.fault(node, "label alertname is set by alert:")
	}
	return labels
}

// fields is what was read of a mapping.
type fields struct {
	node   *yaml.Node
	values map[string]*yaml.Node
	whole  bool // there was nothing wrong with its keys, so what is missing was not misspelt
}

// mapping returns the values of a YAML mapping whose keys should all be known.
func (p *parser) mapping(node *yaml.Node, what string, known []string, hints map[string]string) fields {
	node = resolve(node)
	m := fields{node: node, values: map[string]*yaml.Node{}}
	if node.Kind != yaml.MappingNode {
		p.fault(node, "%s must be a mapping with %s", what, strings.Join(known, ", "))
		return m
	}
	m.whole = true
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := resolve(node.Content[i])
		hint, hinted := hints[key.Value]
		switch {
		case hinted:
			p.fault(key, "%s: %s is not supported: %s", what, shorten(key.Value), hint)
		case !slices.Contains(known, key.Value):
			p.fault(key, "%s: unknown field %s; known are %s", what, shorten(key.Value), strings.Join(known, ", "))
		case m.values[key.Value] != nil:
			p.fault(key, "%s: field %s stands twice", what, shorten(key.Value))
		default:
			m.values[key.Value] = resolve(node.Content[i+1])
			continue
		}
		m.whole = false
	}
	return m
}

// need returns a field that must be there, nil if it is not.
func (p *parser) need(m fields, name string) *yaml.Node {
	node := m.values[name]
	if node == nil && m.whole {
		p.fault(m.node, "%s is missing", name)
	}
	return node
}

func (p *parser) sequence(m fields, name string) []*yaml.Node {
	node := p.need(m, name)
	if node == nil {
		return nil
	}
	if node.Kind != yaml.SequenceNode {
		p.fault(node, "%s must be a list", name)
		return nil
	}
	return node.Content
}

// required returns a field that must be there and a text.
func (p *parser) required(m fields, name string) (string, bool) {
	node := p.need(m, name)
	if node == nil {
		return "", false
	}
	return p.textOf(node, name)
}

func (p *parser) textOf(node *yaml.Node, what string) (string, bool) {
	if node.Kind != yaml.ScalarNode || node.Tag == "!!null" {
		p.fault(node, "%s must be a text", what)
		return "", false
	}
	return node.Value, true
}

var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// texts reads labels or annotations.
func (p *parser) texts(node *yaml.Node, what string) map[string]string {
	if node == nil {
		return nil
	}
	if node.Kind != yaml.MappingNode {
		p.fault(node, "%ss must be a mapping", what)
		return nil
	}
	if len(node.Content) > 2*maxTexts {
		p.fault(node, "more than %d %ss", maxTexts, what)
		return nil
	}
	texts := map[string]string{}
	bytes := 0
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, text, ok := p.oneText(resolve(node.Content[i]), resolve(node.Content[i+1]), what, texts)
		if ok {
			texts[name] = text
			bytes += len(name) + len(text)
		}
	}
	if bytes > maxTextBytes {
		p.fault(node, "%ss have %d bytes; at most %d are allowed", what, bytes, maxTextBytes)
	}
	return texts
}

// oneText reads a label or an annotation, which must not be among those read already.
func (p *parser) oneText(key, value *yaml.Node, what string, read map[string]string) (name, text string, ok bool) {
	name = key.Value
	if !labelName.MatchString(name) {
		p.fault(key, "%s name %s may hold letters, digits and _ only", what, shorten(name))
		return "", "", false
	}
	if _, twice := read[name]; twice {
		p.fault(key, "%s %s stands twice", what, name)
		return "", "", false
	}
	if text, ok = p.textOf(value, what+" "+name); !ok {
		return "", "", false
	}
	if err := checkTemplates(text); err != nil {
		p.fault(value, "%s %s: %w", what, name, err)
	}
	return name, text, true
}

// resolve follows a YAML alias.
func resolve(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}
