// Package fidelity holds the sandbox against what the vendors publish: the
// OpenAPI documents of Pipedrive, the endpoint list of HubSpot, and, with the
// build tag fidelity, the vendors' own clients for Node.js, which must work
// against the sandbox unchanged.
//
// It is for tests only. It does not ask a real CRM, and it knows no connector:
// what the connectors send is held against the same documents by their own tests.
//
// `make fidelity` installs the clients that testdata/clients/package-lock.json
// pins into a folder that the test removes, and runs one script per client.
package fidelity
