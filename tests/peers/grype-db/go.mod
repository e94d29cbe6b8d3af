module peers.local/grype-db

go 1.25.8

require github.com/anchore/grype v0.110.0
