package trial

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// maxCommand bounds an arm's command line, in bytes.
const maxCommand = 16 << 10

// splitCommand splits a command line into words the way a shell does for plain
// text, without running one: blanks separate, '…' keeps everything, "…" keeps
// everything but \" and \\, and \ keeps the next character. There are no variables,
// patterns, pipes or lists; sh -c '…' has them.
func splitCommand(line string) ([]string, error) {
	if len(line) > maxCommand {
		return nil, fmt.Errorf("split command: longer than %d bytes", maxCommand)
	}
	var words []string
	var word strings.Builder
	inWord := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; c {
		case ' ', '\t', '\n', '\r':
			if inWord {
				words = append(words, word.String())
				word.Reset()
			}
			inWord = false
		case '\'', '"':
			end, err := quoted(&word, line[i+1:], c)
			if err != nil {
				return nil, fmt.Errorf("split command: %w", err)
			}
			i += end
			inWord = true
		case '\\':
			if i++; i == len(line) {
				return nil, errors.New("split command: nothing follows the last backslash")
			}
			fallthrough
		default:
			word.WriteByte(line[i])
			inWord = true
		}
	}
	if inWord {
		words = append(words, word.String())
	}
	if len(words) == 0 || words[0] == "" {
		return nil, errors.New("split command: it names no program")
	}
	return words, nil
}

// quoted adds to word what stands before the closing quote, and returns how many
// bytes of text that takes, the quote included.
func quoted(word *strings.Builder, text string, quote byte) (int, error) {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == quote:
			return i + 1, nil
		case c == '\\' && quote == '"' && i+1 < len(text) && (text[i+1] == '"' || text[i+1] == '\\'):
			i++
			word.WriteByte(text[i])
		default:
			word.WriteByte(c)
		}
	}
	return 0, fmt.Errorf("the quote %c is not closed", quote)
}

// Validate returns an error that says what is wrong with the arm.
func (a Arm) Validate() error {
	var err error
	switch {
	case a.Name == "":
		return errors.New("an arm needs a name")
	case a.Command != "" && a.URL != "":
		err = errors.New("it has both a command and a URL")
	case a.Foreign() && len(a.ServerArgs) > 0:
		err = errors.New("flags of our server mean nothing to another")
	case a.Path != "" && !strings.HasPrefix(a.Path, "/"):
		err = fmt.Errorf("the path %q does not begin with /", a.Path)
	case a.Command != "" && !strings.Contains(a.Command, "{port}"):
		err = errors.New("its command has no {port}, so that nobody knows where it listens")
	case a.Command != "":
		_, err = splitCommand(a.Command)
	case a.URL != "":
		_, err = a.target(a.URL)
	}
	if err != nil {
		return fmt.Errorf("arm %s: %w", a.Name, err)
	}
	return nil
}

// target returns the URL that the load of a foreign arm goes to.
func (a Arm) target(base string) (*url.URL, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return nil, fmt.Errorf("%q is not of the form http://host:port/path", base)
	}
	if u.Port() == "" {
		u.Host += ":80"
	}
	if a.Path != "" {
		path, err := url.Parse(a.Path)
		if err != nil || path.Host != "" {
			return nil, fmt.Errorf("%q is not a path", a.Path)
		}
		u.Path, u.RawPath, u.RawQuery = path.Path, path.RawPath, path.RawQuery
	} else if u.Path == "" {
		u.Path = defaultPath
	}
	return u, nil
}
