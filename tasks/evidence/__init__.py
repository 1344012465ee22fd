"""Evidence: signed bundles that say what was deleted, in a store of the organization's own.

bundle      a ZIP file with checksums and a signature
keys        the installation's Ed25519 keys
learners    what a bundle says about learners: NDJSON, CSV, and certificates as PDF
s3          a signed request to an S3 server
store       writing an object to an organization's store
write       the outbox of parts to write
commands    set the store, turn evidence off, write now, renew the key
lookup      queries
verify      checking bundles, without a database

The product only writes to a store. It never reads from one.
"""
