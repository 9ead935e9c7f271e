"""The paper's comparison at tiny scale: `python -m segviz.tiny.experiment`.

One base, tuned under the causal and under the segment mask with the same data, steps and seeds;
each version asked under both masks, family by family. `plan` says which runs there are, `running`
does them, `results` makes the table and `drawing` the figure.
"""
