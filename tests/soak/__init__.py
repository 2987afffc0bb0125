"""The soak: the application on real function processes, for as long as asked, with faults at everything it stands on.

    make soak MINUTES=60

It starts orders (``examples/orders``) and collectors (``application.py``) over HTTP and disturbs them: a proxy between
the functions and AWS throttles, fails, loses answers, answers slowly and sends messages twice (``proxy.py``); function
processes are killed, stopped and resumed, and replaced by a deployment (``disturber.py``). The services that the
activities call keep a ledger, which is the witness outside the engine. Each workflow's end is held against it
(``stories.py``), and no workflow may stand still longer than its bound (``watch.py``).
"""
