"""Words: cleaning a script, finding its sentences and clauses, turning Japanese into kana, making scenes of it all.

Pure code over strings and the contract's models: no files, no network, no processes, no media. What a library does well
(sentence boundaries, Japanese morphology) is asked of it; here is what is asked, and what is mended of the answers.
"""
