package audit

import (
	"bytes"
	"encoding/json"
)

// HasData reports whether Data was recorded, be it empty: then the member stands
// in JSON. A znode without data has none, and its Encoding says so.
func (c *Content) HasData() bool {
	return c.Data != "" || c.Encoding != "" && c.Encoding != EncodingNull
}

// contentWithData is a [Content] whose data are written although they are empty.
type contentWithData struct {
	Size      *int   `json:"size,omitempty"`
	Digest    string `json:"digest,omitempty"`
	Data      string `json:"data"`
	Encoding  string `json:"encoding,omitempty"`
	ACL       []ACL  `json:"acl,omitempty"`
	ACLMasked bool   `json:"acl_masked,omitempty"`
	Truncated bool   `json:"truncated,omitempty"`
	Redaction string `json:"redaction,omitempty"`
}

// contentWithoutData is a [Content] without its methods.
type contentWithoutData Content

// MarshalJSON writes the members that are known. It leaves HTML as it is, for
// the encoder that calls it to decide about.
func (c Content) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	var err error
	if c.HasData() {
		err = encoder.Encode(contentWithData(c))
	} else {
		err = encoder.Encode(contentWithoutData(c))
	}
	return b.Bytes(), err
}
