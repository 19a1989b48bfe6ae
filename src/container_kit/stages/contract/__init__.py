"""The contract between stages and the engine: Stage, StageContext, Artifact, Fault, Workspace, logging and paths."""
