package collector

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"zkwarden/internal/fourletter"
)

type wordCase struct {
	word    fourletter.Word
	reply   string
	version string // Empty: 3.9.5.
	want    map[string]float64
	err     error
}

func (tc wordCase) check(t *testing.T) {
	t.Helper()
	s := newSamples(newTable(), testLimits())
	version := tc.version
	if version == "" {
		version = "3.9.5-x"
	}
	if _, err := readerOf(tc.word)(strings.NewReader(tc.reply), s, version); !errors.Is(err, tc.err) {
		t.Errorf("error %v, want %v", err, tc.err)
	}
	got := map[string]float64{}
	for id, v := range shown(s) {
		got[strings.TrimSuffix(strings.TrimPrefix(id.name, prefix)+" "+id.label, " ")] = v
	}
	delete(got, "client_connection_oldest_seconds")
	if diff := cmp.Diff(tc.want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
}

func TestWords(t *testing.T) {
	const sizes = "datadir_size: 618\nlogdir_size: 67108880\n"
	right := map[string]float64{"data_dir_size_bytes": 618, "data_log_dir_size_bytes": 67108880}
	swapped := map[string]float64{"data_dir_size_bytes": 67108880, "data_log_dir_size_bytes": 618}
	for name, tc := range map[string]wordCase{
		"isro, serving":        {word: fourletter.Isro, reply: "rw", want: map[string]float64{"read_only": 0}},
		"isro, read-only":      {word: fourletter.Isro, reply: "ro", want: map[string]float64{"read_only": 1}},
		"isro, no quorum":      {word: fourletter.Isro, reply: "null", err: errNotServing},
		"isro, cut":            {word: fourletter.Isro, reply: "r", err: errGarbage},
		"dirs":                 {word: fourletter.Dirs, reply: sizes, want: right},
		"dirs of 3.8.3":        {word: fourletter.Dirs, reply: sizes, version: "3.8.3-x", want: swapped},
		"dirs of 3.8.4":        {word: fourletter.Dirs, reply: sizes, version: "3.8.4-x", want: right},
		"dirs of 3.9.1":        {word: fourletter.Dirs, reply: sizes, version: "3.9.1-x", want: swapped},
		"dirs of 3.9.2":        {word: fourletter.Dirs, reply: sizes, version: "3.9.2-x", want: right},
		"dirs of 3.10":         {word: fourletter.Dirs, reply: sizes, version: "3.10.0-SNAPSHOT", want: right},
		"dirs of ClickHouse":   {word: fourletter.Dirs, reply: "snapshot_dir_size: 1\nlog_dir_size: 2\n", version: "v23.4.1.1-testing", want: map[string]float64{"data_dir_size_bytes": 1, "data_log_dir_size_bytes": 2}},
		"dirs, cut":            {word: fourletter.Dirs, reply: "datadir_size: 618\nlogdir_size: 671", err: errTruncated},
		"dirs, half":           {word: fourletter.Dirs, reply: "datadir_size: 618\n", err: errGarbage},
		"wchs":                 {word: fourletter.Wchs, reply: "2 connections watching 3 paths\nTotal watches:4\n", want: map[string]float64{"watching_connections": 2, "watched_paths": 3, "data_watches": 4}},
		"wchs, cut":            {word: fourletter.Wchs, reply: "2 connections watching 3 paths\nTotal watches:4", want: map[string]float64{"watching_connections": 2, "watched_paths": 3}, err: errTruncated},
		"wchs, no such answer": {word: fourletter.Wchs, reply: "<html>\n", err: errGarbage},
		"conf": {
			word:  fourletter.Conf,
			reply: "clientPort=2181\ntickTime=500\nmaxClientCnxns=60\nminSessionTimeout=1000\nclientPortListenBacklog=-1\nserverId=3\n",
			want: map[string]float64{
				"config_tick_seconds": 0.5, "config_max_client_connections": 60,
				"config_min_session_timeout_seconds": 1, "config_server_id": 3,
			},
		},
		"conf of 3.7.2": {
			word: fourletter.Conf, reply: "clientPort=2181\ndataDirSize=67108880\ndataLogSize=618\n", version: "3.7.2-x", want: right,
		},
		"conf, cut in a member": {word: fourletter.Conf, reply: "clientPort=2181\nmembership: \nserver.1=a:1:2:participant", err: errTruncated},
		"conf, cut in a value":  {word: fourletter.Conf, reply: "clientPort=2181\ntickTime=50", err: errTruncated},
		"conf, too long":        {word: fourletter.Conf, reply: "clientPort=2181\n" + strings.Repeat("x=y\n", maxConf), err: errTooLong},
		"conf of ClickHouse": {
			word: fourletter.Conf, reply: "server_id=3\ntcp_port_secure=9281\nfour_letter_word_allow_list=*\nmin_session_timeout_ms=10000\nsession_timeout_ms=30000\n",
			want: map[string]float64{"config_server_id": 3, "config_min_session_timeout_seconds": 10, "config_max_session_timeout_seconds": 30},
		},
		"conf of ClickHouse, cut": {word: fourletter.Conf, reply: "server_id=3\ntcp_po", err: errTruncated},
		"envi, nothing in it":     {word: fourletter.Envi, reply: "Environment:\nuser.name=root\n", err: errGarbage},
		"envi, cut":               {word: fourletter.Envi, reply: "Environment:\njava.version=17.0", err: errTruncated},
	} {
		t.Run(name, tc.check)
	}
}

func TestCons(t *testing.T) {
	const session = "(queued=2,recved=7,sent=7,sid=0x300000dbced0000,lop=PING,est=1795341889544,to=10000,lcxid=0x4,lzxid=0x3,lresp=9,llat=0,minlat=0,avglat=5,maxlat=18)\n"
	const bare = "(queued=0,recved=1,sent=0)\n"
	var crowd strings.Builder
	for i := range 30 {
		crowd.WriteString(strings.Repeat(fmt.Sprintf(" /10.0.0.%d:4000[1]%s", i, bare), 1+i/10))
	}
	busy := map[string]float64{
		"client_addresses": 30, "client_connections_max": 3, "client_connections_sessionless": 60,
		"client_queued_requests": 0, "client_latency_max_seconds": 0, "client_connections other": 10,
	}
	for i := 10; i < 30; i++ {
		busy[fmt.Sprintf("client_connections 10.0.0.%d", i)] = float64(1 + i/10)
	}
	for name, tc := range map[string]wordCase{
		"sessions and none": {
			word: fourletter.Cons, reply: " /10.0.0.7:48582[1]" + session + " /10.0.0.7:48583[1]" + session + " /127.0.0.1:48584[0]" + bare + "\n",
			want: map[string]float64{
				"client_addresses": 2, "client_connections_max": 2, "client_connections_sessionless": 1, "client_queued_requests": 4,
				"client_latency_max_seconds": 0.018, "client_connections 10.0.0.7": 2, "client_connections 127.0.0.1": 1,
			},
		},
		"IPv6 in each of its forms": {
			word:  fourletter.Cons,
			reply: " /[0:0:0:0:0:0:0:1]:1[1]" + bare + " /0:0:0:0:0:0:0:1:2[1]" + bare + " /[fe80:0:0:0:0:0:0:2%eth0]:3[1]" + bare + " /[::ffff:10.0.0.7]:4[1]" + bare,
			want: map[string]float64{
				"client_addresses": 3, "client_connections_max": 2, "client_connections_sessionless": 4, "client_queued_requests": 0,
				"client_latency_max_seconds": 0, "client_connections ::1": 2, "client_connections fe80::2": 1, "client_connections 10.0.0.7": 1,
			},
		},
		"ClickHouse Keeper": {
			word:  fourletter.Cons,
			reply: " 10.0.0.7:52852(recved=0,sent=0)\n [::1]:52042(recved=24,sent=48,sid=0x2,lop=List,est=1660000000000,maxlat=11)\n",
			want: map[string]float64{
				"client_addresses": 2, "client_connections_max": 1, "client_connections_sessionless": 1, "client_latency_max_seconds": 0.011,
				"client_connections 10.0.0.7": 1, "client_connections ::1": 1,
			},
		},
		"the rest is summed":       {word: fourletter.Cons, reply: crowd.String(), want: busy},
		"what is no address":       {word: fourletter.Cons, reply: " /evil\"name:1[1]" + bare, err: errGarbage},
		"cut in the middle":        {word: fourletter.Cons, reply: " /10.0.0.7:48582[1]" + bare + " /10.0.0.7:4", err: errTruncated},
		"nothing":                  {word: fourletter.Cons, reply: "\n", err: errGarbage},
		"a line without its paren": {word: fourletter.Cons, reply: " /10.0.0.7:48582[1](queued=0,recved=1\n", err: errGarbage},
	} {
		t.Run(name, tc.check)
	}
}

// No reply to cons makes a label of a session id, or too many of addresses.
func FuzzCons(f *testing.F) {
	seed(f, fourletter.Cons)
	f.Fuzz(func(t *testing.T, reply string) { validWords(t, fourletter.Cons, reply) })
}

// FuzzWords: whatever a server answers to any word, the page can be read.
func FuzzWords(f *testing.F) {
	for _, word := range DefaultWords() {
		seed(f, word)
	}
	f.Fuzz(func(t *testing.T, reply string) {
		for _, word := range DefaultWords() {
			validWords(t, word, reply)
		}
	})
}

func validWords(t *testing.T, word fourletter.Word, reply string) {
	t.Helper()
	page := valid(t, Options{Cons: true, Client: script{fourletter.Srvr: srvrText, word: reply}})
	if got := strings.Count(page, "\nzookeeper_client_connections{"); got > DefaultConsTop+1 {
		t.Errorf("%d addresses", got)
	}
}
