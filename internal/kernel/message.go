package kernel

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// protocolVersion is the version of the messaging protocol that is spoken.
const protocolVersion = "5.3"

// header names a message.
type header struct {
	ID       string `json:"msg_id"`
	Session  string `json:"session"`
	Username string `json:"username"`
	Date     string `json:"date"`
	Type     string `json:"msg_type"`
	Version  string `json:"version"`
}

// message is one message from the kernel, or the error that ended a channel.
type message struct {
	channel channel
	header  header
	parent  header // of the request that caused it; empty for none
	content json.RawMessage
	err     error
}

// delimiter stands between a message's routing and its signature.
const delimiter = "<IDS|MSG>"

// sign returns the hexadecimal HMAC-SHA256 of the frames under the key.
func sign(key []byte, frames ...[]byte) []byte {
	mac := hmac.New(sha256.New, key)
	for _, f := range frames {
		mac.Write(f)
	}
	return hex.AppendEncode(nil, mac.Sum(nil))
}

// encode returns the frames of a signed request and its id:
// https://jupyter-client.readthedocs.io/en/latest/messaging.html#the-wire-protocol
func encode(key []byte, session, kind string, content any) (frames [][]byte, id string, err error) {
	h := header{
		ID: rand.Text(), Session: session, Username: "manyhands",
		Date: time.Now().UTC().Format(time.RFC3339Nano), Type: kind, Version: protocolVersion,
	}
	head, err := json.Marshal(h)
	if err != nil {
		return nil, "", err
	}
	body, err := json.Marshal(content)
	if err != nil {
		return nil, "", fmt.Errorf("encode the content of a %s: %w", kind, err)
	}
	none := []byte("{}")
	return [][]byte{[]byte(delimiter), sign(key, head, none, none, body), head, none, none, body}, h.ID, nil
}

// decode checks the signature of the frames of one message and decodes them.
func decode(key []byte, frames [][]byte) (message, error) {
	for len(frames) > 0 && string(frames[0]) != delimiter {
		frames = frames[1:]
	}
	if len(frames) < 6 {
		return message{}, errors.New("malformed message: it lacks the delimiter or a part")
	}
	signature, parts := frames[1], frames[2:6]
	if !hmac.Equal(signature, sign(key, parts...)) {
		return message{}, errors.New("message with a wrong signature")
	}
	var m message
	if err := json.Unmarshal(parts[0], &m.header); err != nil {
		return message{}, fmt.Errorf("malformed message header: %w", err)
	}
	if err := json.Unmarshal(parts[1], &m.parent); err != nil {
		return message{}, fmt.Errorf("malformed parent header of a %s: %w", m.header.Type, err)
	}
	m.content = parts[3]
	return m, nil
}
