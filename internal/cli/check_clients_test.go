package cli

import (
	"strings"
	"testing"

	"zkwarden/internal/zktest"
)

func TestLiveCheckClients(t *testing.T) {
	checkedBy := func(t *testing.T, addr string, attributed bool) string {
		t.Helper()
		o := auditing(addr, t.TempDir(), "/")
		o.Audit.Attribution = attributed
		report, _ := checked(t, o)
		return report
	}
	t.Run("all is well", func(t *testing.T) {
		servers := zktest.Start(t, zktest.Options{Servers: 3, Dynamic: true})
		leader, err := servers.Leader(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		followers, err := servers.Followers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		expect(t, checkedBy(t, leader.Addr(), true), "ok     clients can be told: cons is answered by 3 of 3 members")
		followers[0].Kill()
		expect(t, checkedBy(t, leader.Addr(), true), "note   "+followers[0].Addr()+" doesn't tell its clients now (refused)")
	})
	t.Run("not whitelisted", func(t *testing.T) {
		addr := zktest.Start(t, zktest.Options{Config: map[string]string{"4lw.commands.whitelist": "mntr,srvr,conf,isro,wchs,dirs,envi,ruok"}}).Server(1).Addr()
		report := checkedBy(t, addr, true)
		expect(t, report, "note   "+addr+" doesn't tell its clients, for cons is not whitelisted", "restart the server: 4lw.commands.whitelist=cons")
		if strings.Contains(report, "--collector.cons") || strings.Contains(report, "can be told") {
			t.Errorf("contradictions:\n%s", report)
		}
		report = checkedBy(t, addr, false)
		expect(t, report, "it is only asked with --collector.cons")
	})
	for name, o := range map[string]zktest.Options{
		"members are not known":             {Version: "3.4.14", Servers: 3},
		"addresses of others are not known": {Servers: 3},
	} {
		t.Run(name, func(t *testing.T) {
			addr := zktest.Start(t, o).Server(1).Addr()
			expect(t, checkedBy(t, addr, true), "note   only "+addr+" is asked for clients", "--ensemble.member=ID=HOST:PORT", "cons is answered by 1 of 1 members")
		})
	}
}
