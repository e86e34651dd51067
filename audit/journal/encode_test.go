package journal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
)

// standardJSON is what the encoder has to equal.
func standardJSON(t *testing.T, e *audit.Event) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

func TestEncoderEqualsEncodingJSON(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for i := range 5_000 {
		var e audit.Event
		fill(rng, reflect.ValueOf(&e).Elem(), float64(i%5)/4)
		if diff := cmp.Diff(standardJSON(t, &e), string(appendEvent(nil, &e))); diff != "" {
			t.Fatalf("event %d (-encoding/json +journal):\n%s", i, diff)
		}
	}
}

func FuzzEncodeString(f *testing.F) {
	for _, s := range nasty {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e := audit.Event{Path: s}
		if diff := cmp.Diff(standardJSON(t, &e), string(appendEvent(nil, &e))); diff != "" {
			t.Errorf("(-encoding/json +journal):\n%s", diff)
		}
	})
}

// nasty are strings that JSON encoders get wrong.
var nasty = []string{
	"", "/plain", `quote " and \ backslash`, "\x00\x01\b\f\n\r\t\x1f\x7f", "<html> & co",
	"\xff\xfe broken \xe2\x82", "\u2028\u2029", "�", "žluťoučký 漢字 🦓", "\xed\xa0\x80", "{", "}",
	audit.EncodingUTF8, audit.EncodingBase64, audit.EncodingNull,
}

// fill sets a share of the fields below v, whatever fields there are: a new
// member of the event that the encoder does not know fails the test.
func fill(rng *rand.Rand, v reflect.Value, share float64) {
	if m, ok := reflect.TypeAssert[*audit.Millis](v.Addr()); ok {
		if rng.Float64() < share {
			*m = audit.AtUnixMilli(rng.Int64N(4e12))
		}
		return
	}
	if v.Kind() == reflect.Struct {
		for _, field := range v.Fields() {
			fill(rng, field, share)
		}
		return
	}
	if rng.Float64() >= share {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(nasty[rng.IntN(len(nasty))])
	case reflect.Int, reflect.Int32:
		v.SetInt(int64(int32(rng.Uint32())))
	case reflect.Uint64:
		v.SetUint(rng.Uint64() >> rng.IntN(64))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(rng, v.Elem(), share)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), rng.IntN(4), 4))
		for i := range v.Len() {
			fill(rng, v.Index(i), share)
		}
	default:
		panic(fmt.Sprintf("the test cannot fill a %s", v.Type()))
	}
}
