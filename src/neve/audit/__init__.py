"""The audit log: who did what to which resource, with the decision. Knows no request, no engine.

`auditor` is the door: everything that is audited goes through `Auditor.record`.
Beside it the server keeps a `trail` of its own, which is bounded and can be searched (`search`).
"""
