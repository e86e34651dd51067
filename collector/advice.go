package collector

import (
	"errors"
	"net"
	"strconv"
	"strings"

	"zkwarden/internal/fourletter"
)

// silentAdvice is for the words that a leader with leaderServes=no refuses.
const silentAdvice = "The server leads and serves no clients itself, as leaderServes=no wants it; nothing is wrong."

// addressee is who was asked and failed: the landing page and check say what to
// change in the same words.
type addressee struct {
	member int64             // Its id; -1: the server beside this process.
	words  []fourletter.Word // All that are asked of it.
}

// advice says what to change when a word fails with err, in plain words; empty:
// nothing.
func (a addressee) advice(err error) string {
	reason, _ := fourletter.ReasonOf(err)
	switch reason {
	case fourletter.Refused:
		if _, ok := errors.AsType[*net.DNSError](err); ok {
			return "The name of the host is not known here: look at the DNS, or " + a.address("client port") + "."
		}
		return "Nothing listens at this address, or a firewall refuses: start ZooKeeper, open its client port in the firewall, or " +
			a.address("client port") + "."
	case fourletter.Timeout:
		return timeoutAdvice(err) + a.timeoutTLS()
	case fourletter.TLS:
		cause, _ := fourletter.CauseOf(err)
		return a.tlsAdvice(cause)
	case fourletter.EmptyReply:
		return "The server hung up: it may be starting, not serving, or at its limit of connections (maxClientCnxns, maxCnxns in zoo.cfg); " +
			"ClickHouse Keeper hangs up on words that its four_letter_word_allow_list lacks."
	case fourletter.Truncated:
		return "The reply was cut: the server may be changing its role; look at its log if this lasts."
	case fourletter.TooLarge:
		return "The reply is too long: the server has very many namespaces; they go when it restarts."
	case fourletter.NotWhitelisted:
		return "Put this line into zoo.cfg, with the words that it has already, and restart the server: " + whitelist(a.words)
	case fourletter.NotServing:
		return "The server has no quorum, or is a leader with leaderServes=no: check that a majority of the voters is up."
	case fourletter.Unparsable:
		return "What answers is not ZooKeeper: " + a.address("client port") + "."
	}
	return ""
}

// timeoutAdvice tells a connection that never came about from an answer that
// never came.
func timeoutAdvice(err error) string {
	if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" {
		return "No connection came about in time: the host is down, or a firewall drops the packets; open the client port in the firewall"
	}
	return "The server takes connections and doesn't answer: it is stuck or slow (look at its log), or a firewall or proxy in between keeps the answer"
}

func (a addressee) timeoutTLS() string {
	if a.member < 0 {
		return ". If this is the server's secureClientPort, set --zookeeper.tls."
	}
	return ", or " + a.address("client port") + "."
}

// tlsAdvice says what to change when TLS fails for this cause.
func (a addressee) tlsAdvice(cause fourletter.Cause) string {
	switch cause {
	case "":
		return "This port speaks TLS: set --zookeeper.tls with --zookeeper.tls-ca-file, or " + a.address("clientPort") + "."
	case fourletter.BadFiles:
		return "Check --zookeeper.tls-ca-file, --zookeeper.tls-cert-file and --zookeeper.tls-key-file: each must be readable PEM."
	case fourletter.NotTLS, fourletter.HungUp:
		return "This port speaks no TLS, or the server isn't serving: " + a.address("secureClientPort") + ", or drop --zookeeper.tls."
	case fourletter.Slow:
		return "TLS took too long: " + a.address("secureClientPort") + "; raise --zookeeper.timeout if the server is far away."
	case fourletter.Expired:
		return "Renew the certificate in the server's ssl.keyStore.location and restart the server; check this machine's clock."
	case fourletter.UnknownAuthority:
		return "Set --zookeeper.tls-ca-file to the authority that signed the server's certificate."
	case fourletter.WrongName:
		return "Set --zookeeper.tls-server-name to a name in the server's certificate, or " + a.address("secureClientPort") + " under such a name."
	case fourletter.Invalid:
		return "The server's certificate can't be used: make one for server authentication in its ssl.keyStore.location."
	case fourletter.ClientCertificate:
		return "Set --zookeeper.tls-cert-file and --zookeeper.tls-key-file to a certificate that the server's ssl.trustStore.location trusts, or ssl.clientAuth=none in zoo.cfg."
	case fourletter.Version:
		return "Set --zookeeper.tls-min-version=1.0, or ssl.enabledProtocols=TLSv1.2,TLSv1.3 in zoo.cfg."
	}
	return "TLS failed on the server's side: look at its log."
}

// address says where to put another address; port is which one is meant.
func (a addressee) address(port string) string {
	if a.member < 0 {
		return "set --zookeeper.address to the server's " + port
	}
	return "give the member's " + port + " as --ensemble.member=" + strconv.FormatInt(a.member, 10) + "=HOST:PORT"
}

// whitelist is the line of zoo.cfg that allows the words.
func whitelist(words []fourletter.Word) string {
	names := make([]string, len(words))
	for i, word := range words {
		names[i] = word.String()
	}
	return "4lw.commands.whitelist=" + strings.Join(names, ",")
}
