"""What the stages of a Story say to each other: parameters in, the scene manifest between them, and the rules of time.

Data and pure functions, like the rest of the contract. All positions are whole frames of the finished video; a frame holds a
whole number of samples at every rate offered, so that picture and sound cannot drift apart (S-065). Milliseconds are for
people and for what engines measure inside one scene. What a stage makes lies in files that the manifest names; it never holds
bytes, and it is written anew by each stage that knows more.
"""
