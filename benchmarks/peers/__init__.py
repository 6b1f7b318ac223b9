"""Other servers with the same steps, weights, engine and decoder, in two processes of one thread.

`requirements.txt` is installed into a virtual environment of its own, which sees the project's packages. Each server takes
`{"photo": KEY}` and answers when the photo's files are written; batches are of at most `steps.BATCH` photos. Their settings follow
their own guides: LitServe's `workers_per_device`, `max_batch_size` and `batch_timeout`; Ray Serve's `num_replicas`, `num_cpus` and
`@serve.batch`; BentoML's `workers`, `batchable`, `max_batch_size` and `max_latency_ms`.
"""
