// Package collector turns the four-letter words of one ZooKeeper server into
// Prometheus metrics.
//
// It promises:
//
//   - A scrape answers within its budget, whatever the server does, and costs
//     bounded memory and a bounded number of series.
//   - What is not known is absent, never 0: a key that the server doesn't print,
//     a value that can't be read, a size that is still at its sentinel of -1.
//   - A server that serves nobody is never shown as a leader, and a failure names
//     its reason, from the fixed list of package fourletter.
//   - Names, types and units are those of a data table, the same for every
//     ZooKeeper version and metrics provider: prefix zookeeper_, seconds, bytes,
//     counters in _total. The table covers ZooKeeper 3.4 to 3.10 and ClickHouse
//     Keeper.
//   - A round asks mntr and srvr. Words whose answers change slowly are asked once
//     an interval, and when the server changes its role or version; their age is
//     shown. No word waits for another that hangs, and a word that failed is asked
//     again soon. No session id leaves this package.
//   - Scrapes at the same time share one round of words, and none of them can
//     fail another by giving up.
//
// Every series about ZooKeeper starts with zookeeper_, those about the reading
// itself with zkwarden_.
package collector
