package collector

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"

	"zkwarden/internal/fourletter"
)

func TestMembershipIsAskedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := servers{"zk-1:2181": says("leader", "0x1")}
		all["zk-1:2181"][fourletter.Conf] = staticConf
		client := &counted{Asker: all, words: map[fourletter.Word]int{}}
		e := startEnsemble(t, EnsembleOptions{Client: client})
		for range 10 {
			pageOfEnsemble(t, e)
		}
		if got := client.words[fourletter.Conf]; got != 1 {
			t.Errorf("conf was asked %d times in 10 scrapes", got)
		}
		time.Sleep(membershipInterval) // Of the bubble's clock.
		all["zk-1:2181"][fourletter.Conf] = dynamicConf
		pageOfEnsemble(t, e)
		wants(t, pageOfEnsemble(t, e), "members 4")
	})
}

// The last good list survives a lost quorum, which is when the server stops
// telling it, and with a file a restart in the middle of that.
func TestMembershipSurvives(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ensemble.json")
	all := servers{"zk-1:2181": says("leader", "0x1")}
	all["zk-1:2181"][fourletter.Conf] = dynamicConfOf(1)
	e := startEnsemble(t, EnsembleOptions{Client: all, StateFile: file})
	wants(t, pageOfEnsemble(t, e), "members 4", `membership{source="server"} 1`)

	lost := servers{"elsewhere:2181": {fourletter.Srvr: notServing, fourletter.Conf: notServing}}
	restarted := startEnsemble(t, EnsembleOptions{Addr: "elsewhere:2181", Client: lost, StateFile: file})
	for range 3 { // The list survives being refused again and again.
		page := pageOfEnsemble(t, restarted)
		wants(t, page, "members 4", "voters 3", "quorum 0", `membership{source="state"} 1`, `member_up{member="1"} 1`)
	}
	if got := restarted.LastRound(); got.Problem == "" || got.Quorum != "no" {
		t.Errorf("status %+v", got)
	}

	for name, content := range map[string]string{
		"empty": "", "garbage": "{", "another schema": `{"schema":"x","self":1,"members":[{"id":1,"group":0,"weight":1}]}`,
		"nobody":        `{"schema":"zkwarden/ensemble/v1","self":1,"members":[]}`,
		"unknown field": `{"schema":"zkwarden/ensemble/v1","self":1,"port":2,"members":[{"id":1,"group":0,"weight":1}]}`,
		"twice":         `{"schema":"zkwarden/ensemble/v1","self":1,"members":[{"id":1,"group":0,"weight":1},{"id":1,"group":0,"weight":1}]}`,
		"bad address":   `{"schema":"zkwarden/ensemble/v1","self":1,"members":[{"id":1,"addr":"x","group":0,"weight":1}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			var logged bytes.Buffer
			e := startEnsemble(t, EnsembleOptions{Client: lost, StateFile: file, Logger: log.NewLogfmtLogger(&logged)})
			page := pageOfEnsemble(t, e)
			wants(t, page, `membership{source="none"} 1`)
			lacks(t, page, "members", "quorum")
			if !strings.Contains(logged.String(), file) {
				t.Errorf("the log doesn't name the file: %s", logged.String())
			}
		})
	}
}

func dynamicConfOf(self int) string {
	return strings.Replace(dynamicConf, "serverId=2", "serverId="+string(rune('0'+self)), 1)
}

func TestStateFileThatCannotBeWritten(t *testing.T) {
	all := servers{"zk-1:2181": says("leader", "0x1")}
	all["zk-1:2181"][fourletter.Conf] = dynamicConf
	var logged bytes.Buffer
	e := startEnsemble(t, EnsembleOptions{
		Client: all, StateFile: filepath.Join(t.TempDir(), "none", "ensemble.json"), Logger: log.NewLogfmtLogger(&logged),
	})
	wants(t, pageOfEnsemble(t, e), "members 4")
	if !strings.Contains(logged.String(), "forgotten at a restart") {
		t.Errorf("nothing of it in the log: %s", logged.String())
	}
}
