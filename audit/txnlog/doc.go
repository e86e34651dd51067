// Package txnlog decodes ZooKeeper's transaction logs, as 3.4 to 3.9 write
// them.
package txnlog
