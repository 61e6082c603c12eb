package audit

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"phase0/bench/experiment"
)

var update = flag.Bool("update", false, "write results/schema/run.schema.json anew")

var schemaFile = filepath.Join("..", "..", "results", "schema", "run.schema.json")

// The published schema is that of the types that are written, with their comments.
func TestSchemaIsCurrent(t *testing.T) {
	want, err := json.MarshalIndent(newGenerator(t).document(), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile(schemaFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have := read(t, ".", schemaFile); have != string(want) {
		t.Errorf("%s is not that of experiment.Run; go test ./bench/audit -run Schema -update", schemaFile)
	}
}

func TestRunFollowsTheSchema(t *testing.T) {
	text := read(t, writeRun(t), RunFile)
	if faults := validateText(t, text); len(faults) > 0 {
		t.Errorf("a run does not follow the schema:\n%s", strings.Join(faults, "\n"))
	}
	for name, change := range map[string][2]string{
		"number as text":    {`"seed": 5`, `"seed": "5"`},
		"share for a count": {`"pairs": 6`, `"pairs": 6.5`},
		"text in a list":    {`"delays_ns": [`, `"delays_ns": ["soon", `},
		"missing":           {` "interrupted": false,`, ``},
		"null":              {`"machine": {`, `"machine": null, "old": {`},
		"another schema":    {`"schema": 3`, `"schema": 2`},
		"no time":           {`"start": "2026`, `"start": "soon 2026`},
		"unknown verdict":   {`"verdict": "faster"`, `"verdict": "quicker"`},
	} {
		broken := strings.Replace(text, change[0], change[1], 1)
		if broken == text {
			t.Fatalf("%s: the run has no %s", name, change[0])
		}
		if faults := validateText(t, broken); len(faults) == 0 {
			t.Errorf("%s: %s was found valid", name, change[1])
		}
	}
	// Fields may be added within a version, so that readers must bear them.
	if faults := validateText(t, strings.Replace(text, `"schema": 3`, `"new": 1, "schema": 3`, 1)); len(faults) > 0 {
		t.Errorf("an added field: %q", faults)
	}
}

func validateText(t *testing.T, text string) []string {
	t.Helper()
	schema, err := tree([]byte(read(t, ".", schemaFile)))
	if err != nil {
		t.Fatal(err)
	}
	instance, err := tree([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	v := validator{root: schema.(map[string]any)}
	v.check("run", v.root, instance)
	return v.faults
}

type object = map[string]any

// generator makes a JSON Schema (2020-12) of Go types.
type generator struct {
	defs     object
	comments map[string]string // "Type.Field" and "Type"
}

func newGenerator(t *testing.T) *generator {
	g := &generator{defs: object{}, comments: map[string]string{}}
	for _, dir := range []string{"experiment", "trial", "stat"} {
		paths, err := filepath.Glob(filepath.Join("..", dir, "*.go"))
		if err != nil || len(paths) == 0 {
			t.Fatalf("no sources in %s: %v", dir, err)
		}
		for _, path := range paths {
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool { return g.collect(dir, n) })
		}
	}
	return g
}

// collect remembers the comments of a struct's fields.
func (g *generator) collect(pkg string, n ast.Node) bool {
	spec, ok := n.(*ast.TypeSpec)
	if !ok {
		return true
	}
	if fields, ok := spec.Type.(*ast.StructType); ok {
		for _, f := range fields.Fields.List {
			text := strings.TrimSpace(f.Doc.Text() + " " + f.Comment.Text())
			for _, name := range f.Names {
				g.comments[pkg+"."+spec.Name.Name+"."+name.Name] = strings.Join(strings.Fields(text), " ")
			}
		}
	}
	return true
}

func (g *generator) document() object {
	root := g.schema(reflect.TypeFor[experiment.Run]())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "run.json of phase0 bench"
	root["description"] = fmt.Sprintf("Everything that a run measured and concluded. Within schema %d fields may be added and none changes its meaning: a reader ignores what it does not know, and so additionalProperties is left at true everywhere. `bench verify` is stricter and takes only what its own version writes. Names that end in _ns or -ns are nanoseconds.", experiment.SchemaVersion)
	root["properties"].(object)["schema"] = object{"const": experiment.SchemaVersion}
	root["$defs"] = g.defs
	return root
}

func (g *generator) schema(t reflect.Type) object {
	switch t.Kind() {
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.String:
		if t.Name() == "Verdict" {
			return object{"enum": []string{"", "faster", "slower", "equivalent", "inconclusive", "withheld"}}
		}
		return object{"type": "string"}
	case reflect.Int, reflect.Int64, reflect.Int32, reflect.Uint64:
		return object{"type": "integer"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Pointer:
		return g.schema(t.Elem())
	case reflect.Slice:
		return object{"type": []string{"array", "null"}, "items": g.schema(t.Elem())}
	case reflect.Map:
		return object{"type": []string{"object", "null"}, "additionalProperties": g.schema(t.Elem())}
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			return object{"type": "string", "format": "date-time"}
		}
		return g.structure(t)
	}
	panic("no schema for " + t.String())
}

// structure puts a type under $defs, once, and refers to it; the run itself is the root.
func (g *generator) structure(t reflect.Type) object {
	pkg := t.PkgPath()[strings.LastIndex(t.PkgPath(), "/")+1:]
	name := pkg + "." + t.Name()
	if _, known := g.defs[name]; known {
		return object{"$ref": "#/$defs/" + name}
	}
	root := t == reflect.TypeFor[experiment.Run]()
	properties, required := object{}, []string{}
	if !root {
		g.defs[name] = nil
	}
	for field := range t.Fields() {
		key, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if key == "" || key == "-" {
			panic(name + "." + field.Name + " has no name in JSON")
		}
		property := g.schema(field.Type)
		if text := g.comments[name+"."+field.Name]; text != "" {
			property["description"] = text
		}
		properties[key] = property
		if options != "omitempty" && options != "omitzero" {
			required = append(required, key)
		}
	}
	body := object{"type": "object", "properties": properties, "required": required}
	if root {
		return body
	}
	g.defs[name] = body
	return object{"$ref": "#/$defs/" + name}
}

// validator checks JSON against the part of JSON Schema that the generator uses, and
// refuses to judge by keywords that it does not know.
type validator struct {
	root   object
	faults []string
}

func (v *validator) fault(path, format string, args ...any) {
	v.faults = append(v.faults, path+": "+fmt.Sprintf(format, args...))
}

func (v *validator) check(path string, schema object, instance any) {
	for _, keyword := range slices.Sorted(maps.Keys(schema)) {
		switch want := schema[keyword]; keyword {
		case "$schema", "title", "description", "$defs", "properties", "items", "additionalProperties":
		case "$ref":
			name := strings.TrimPrefix(want.(string), "#/$defs/")
			v.check(path, v.root["$defs"].(object)[name].(object), instance)
		case "const":
			if instance != want {
				v.fault(path, "%v is not %v", instance, want)
			}
		case "enum":
			if !slices.Contains(want.([]any), instance) {
				v.fault(path, "%v is none of %v", instance, want)
			}
		case "type":
			if !isOneOf(want, instance) {
				v.fault(path, "%v is no %v", brief(instance), want)
			}
		case "format":
			if _, err := time.Parse(time.RFC3339Nano, fmt.Sprint(instance)); want != "date-time" || err != nil {
				v.fault(path, "%v is no %v", brief(instance), want)
			}
		case "required":
			for _, key := range want.([]any) {
				if fields, ok := instance.(object); ok {
					if _, ok := fields[key.(string)]; !ok {
						v.fault(path, "%v is missing", key)
					}
				}
			}
		default:
			v.fault(path, "keyword %q is not known here", keyword)
		}
	}
	v.children(path, schema, instance)
}

func (v *validator) children(path string, schema object, instance any) {
	switch x := instance.(type) {
	case []any:
		if items, ok := schema["items"].(object); ok {
			for i, item := range x {
				v.check(fmt.Sprintf("%s[%d]", path, i), items, item)
			}
		}
	case object:
		properties, _ := schema["properties"].(object)
		for key, value := range x {
			if property, ok := properties[key].(object); ok {
				v.check(path+"."+key, property, value)
			} else if rest, ok := schema["additionalProperties"].(object); ok {
				v.check(path+"."+key, rest, value)
			}
		}
	}
}

func isOneOf(types, instance any) bool {
	list, ok := types.([]any)
	if !ok {
		list = []any{types}
	}
	return slices.ContainsFunc(list, func(name any) bool { return is(name.(string), instance) })
}

func is(name string, instance any) bool {
	switch x := instance.(type) {
	case nil:
		return name == "null"
	case bool:
		return name == "boolean"
	case string:
		return name == "string"
	case []any:
		return name == "array"
	case object:
		return name == "object"
	case json.Number:
		return name == "number" || name == "integer" && !bytes.ContainsAny([]byte(x), ".eE")
	}
	return false
}
