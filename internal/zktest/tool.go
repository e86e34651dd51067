package zktest

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
)

// Tool prepares one of the command-line programs that a version of ZooKeeper
// ships with, named by its class, to run to its end. What it prints is in
// UTF-8, American English and UTC; what it logs goes to stderr.
func Tool(ctx context.Context, version, class string, args ...string) (*exec.Cmd, error) {
	installed, err := bring(ctx, version)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", class, err)
	}
	args = append([]string{
		"-Xmx512m", "-XX:+UseSerialGC", "-Duser.timezone=UTC", "-Duser.language=en", "-Duser.country=US",
		// Each generation of the virtual machine reads another of these.
		"-Dfile.encoding=UTF-8", "-Dsun.stdout.encoding=UTF-8", "-Dstdout.encoding=UTF-8",
		"-cp", filepath.Join(installed.jars, "*"), class,
	}, args...)
	return exec.CommandContext(ctx, installed.java, args...), nil
}
