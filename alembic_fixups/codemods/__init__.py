"""What the codemods of the fixups share: the model files, and how they are changed.

A codemod makes in the source of the models the change that its fixup's rewrite makes in memory.
What is written where is found in the running models: a table leads to its class, the class to its
module and file, a name in that file to the object that the module has under it. So aliases, star
imports, facades and constants need no rules of their own, and nothing is guessed.

``files`` holds a file as statements, each parsed by libcst when a codemod looks into it; ``models``
finds the statement of a table, column or relationship (``places``), ``bindings`` that of a name;
``calls``, ``table_args`` and ``imports`` change one; ``layout`` writes it as black would; ``proof``
loads the outcome in a process of its own and compares; ``command`` runs it all.
"""
