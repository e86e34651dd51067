package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-zookeeper/zk"

	"zkwarden/audit/txnlog"
	"zkwarden/internal/history"
)

// tree prints the znodes of a moment as [Tree] prints those of a server.
func (p *txnlogPrinter) tree(ctx context.Context) error {
	o := &p.options
	tree, err := p.history.Tree(ctx, *o.At, nil)
	if err != nil {
		return err
	}
	var paths []string
	for path := range tree.All() {
		if o.Filter.wants(path) {
			paths = append(paths, path)
		}
	}
	if len(paths) == 0 {
		return errors.New("there was no such znode at that moment")
	}
	slices.SortFunc(paths, history.ComparePaths)
	printer := &treePrinter{out: p.out, format: textLine}
	switch {
	case o.JSON:
		printer.format = jsonLine
	case o.Stat:
		printer.format = statLine
		fmt.Fprint(p.out, statHeader)
	}
	for n, path := range paths {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := printer.visit(&znode{path: path, stat: clientStat(tree.Get(path))}); err != nil {
			return err
		}
	}
	return nil
}

// clientStat is what a server would tell a client (DataNode.copyStat): the
// cversion counts deletions, too, and the marks of container and TTL znodes
// are hidden.
func clientStat(z *txnlog.Znode) *zk.Stat {
	owner, _ := z.Stat.Session()
	return &zk.Stat{
		Czxid: int64(z.Stat.Czxid), Mzxid: int64(z.Stat.Mzxid), Pzxid: int64(z.Stat.Pzxid),
		Ctime: z.Stat.Ctime, Mtime: z.Stat.Mtime,
		Version: z.Stat.Version, Cversion: 2*z.Stat.Cversion - int32(z.Children), Aversion: z.Stat.Aversion,
		EphemeralOwner: int64(owner), DataLength: int32(z.Size), NumChildren: int32(z.Children),
	}
}
