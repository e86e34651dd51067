// Package check holds deploy/ to its promises: that charts, kustomizations and
// examples render to what Kubernetes takes, that nothing in them can cost an
// ensemble its quorum, that they name flags which exist, and that what is made
// from something else is not stale. It has only tests, and is a module of its
// own so that Helm and the types of Kubernetes are no dependencies of zkwarden.
//
// After a change of a template, a rule or a dashboard:
//
//	go test -run TestGenerated -update
package check
