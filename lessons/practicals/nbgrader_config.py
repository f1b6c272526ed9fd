# nbgrader's configuration for a course that uses these practicals.
#
#   go run . release --nbgrader COURSE/source     write the practicals, hidden checks included
#   cp lessons/practicals/nbgrader_config.py COURSE
#   cd COURSE && nbgrader generate_assignment 1-threads-and-pools
#
# then hand out, collect and autograde as usual, with the course's kernel installed
# (go run . lab does it). nbgrader gives the points of a check cell all or nothing
# and runs students' notebooks as they are: for points per criterion, and for
# safety, grade what it has collected with: go run . grade COURSE/submitted

from nbgrader.preprocessors import (
    CheckCellMetadata, ClearHiddenTests, ClearOutput, ComputeChecksums, IncludeHeaderFooter, LockCells, SaveCells,
)

c = get_config()  # noqa: F821

# The solutions are cut out before nbgrader sees the notebooks, and students begin
# with starter code, which nbgrader's own ClearSolutions would blank.
c.GenerateAssignment.preprocessors = [
    IncludeHeaderFooter, LockCells, ClearOutput, CheckCellMetadata, ComputeChecksums, SaveCells, ClearHiddenTests,
    ComputeChecksums, CheckCellMetadata,
]

# Compiling takes longer than interpreting, above all the first time.
c.Execute.timeout = 120
