//! Hitstone: a self-hosted web-analytics server.
