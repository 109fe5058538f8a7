"""Own ClickHouse's HTTP protocol (port 8123), so that its clients speak to the embedded engine as to a server."""
