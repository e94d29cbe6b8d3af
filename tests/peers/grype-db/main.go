// Builds a database for grype from provider workspaces, the folders that vunnel writes: metadata.json, results and their
// listing. What grype's own data is built with can only be had as a library.
//
//	grype-db CACHE WORKSPACE...     the database goes where grype looks for it with GRYPE_DB_CACHE_DIR=CACHE
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/anchore/grype/grype/db"
	"github.com/anchore/grype/grype/db/provider"
	v6 "github.com/anchore/grype/grype/db/v6"
)

func build(cache string, workspaces []string) error {
	var states provider.States
	for _, workspace := range workspaces {
		state, err := provider.NewWorkspaceFromExisting(workspace).ReadState()
		if err != nil {
			return err
		}
		states = append(states, *state)
	}
	timestamp, err := states.EarliestTimestamp()
	if err != nil {
		return err
	}
	directory := filepath.Join(cache, strconv.Itoa(v6.ModelVersion))
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return err
	}
	return db.Build(db.BuildConfig{
		SchemaVersion: v6.ModelVersion,
		Directory:     directory,
		States:        states,
		Timestamp:     timestamp,
		Hydrate:       true,
	})
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: grype-db CACHE WORKSPACE...")
		os.Exit(2)
	}
	if err := build(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
