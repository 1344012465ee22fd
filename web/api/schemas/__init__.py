"""The bodies of requests and answers, a file a noun, each with its example. Their class names are the document's."""
