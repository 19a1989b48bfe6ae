"""From an analysis to a Dockerfile, its ignore file and the reasons for each choice."""

from __future__ import annotations

from dataclasses import dataclass

from container_kit.stages.artifacts.analysis import Analysis
from container_kit.stages.artifacts.dockerfile import Dockerfile, DockerfileOptions, Reason
from container_kit.stages.contract.fault import Evidence, FaultCode
from container_kit.stages.dockerfile.base_images import Availability, BasePolicy, Bases
from container_kit.stages.dockerfile.generate.app import App
from container_kit.stages.dockerfile.generate.dockerignore import ignore_text, is_ignored, read_patterns
from container_kit.stages.dockerfile.generate.questions import LANGUAGE_UNKNOWN
from container_kit.stages.dockerfile.generate.recipe import Recipe
from container_kit.stages.dockerfile.generate.registry import RECIPES, Generator, recipe_for
from container_kit.stages.dockerfile.generate.render import USER, dockerfile_text, is_own
from container_kit.stages.dockerfile.generate.resolve import settle
from container_kit.stages.dockerfile.generate.source_tree import ContextTree

SOURCE_IGNORED = FaultCode(
    "dockerfile.source_ignored",
    means="The existing .dockerignore keeps out a file that the image needs.",
    hint="Take the pattern that matches {path} out of .dockerignore, or add the line !{path} at its end.",
)


_BUILT_BY_A_MANIFEST = frozenset(
    ["kotlin", "scala", "elixir", "swift", "dart", "crystal", "haskell", "zig", "csharp", "fsharp"]
)
"""Languages whose recipes call a build tool, which needs its manifest."""


@dataclass(frozen=True, slots=True)
class DockerfilePlan:
    """All that a Dockerfile is generated from, but for the host's images."""

    app: App
    generator: Generator
    policy: BasePolicy

    def choices(self) -> tuple[tuple[str, ...], ...]:
        """Return the base images that could be used, each choice in its order of preference."""
        bases = Bases(self.policy, Availability())
        self.generator(self.app, bases)
        return tuple(dict.fromkeys(bases.asked))

    def dockerfile(self, availability: Availability) -> Dockerfile:
        """Generate the files for a host.

        Raises:
            StageFailure: `dockerfile.source_ignored`, and those of `unsettled.FAULTS` that only a recipe can find.
        """
        bases = Bases(self.policy, availability)
        recipe = self.generator(self.app, bases)
        path = "Dockerfile" if self.app.place == "." else f"{self.app.place}/Dockerfile"
        return Dockerfile(
            path=path,
            content=dockerfile_text(recipe, self.app.port, self.app.module.health_endpoint.value),
            ignore=self._ignore(recipe),
            written=False,
            port=self.app.port,
            reasons=(*self.app.reasons, *bases.reasons, *recipe.reasons, *_shared_reasons(self.app)),
        )

    def _ignore(self, recipe: Recipe) -> str | None:
        """The ignore file; None where somebody wrote one, which then must let through what is copied."""
        there = self.app.tree.text(".dockerignore")
        if there is None or is_own(there):
            return ignore_text(recipe.ignore, self.app.manifests)
        for path in self.app.manifests:
            if is_ignored(path, read_patterns(there)):
                evidence = [Evidence(kind="file", text=there[:2000], where=".dockerignore")]
                raise SOURCE_IGNORED(f".dockerignore keeps out {path}", evidence=evidence, path=path)
        return None


def plan(
    analysis: Analysis, module: str, tree: ContextTree, options: DockerfileOptions, policy: BasePolicy
) -> DockerfilePlan:
    """Check that an analysis suffices for a Dockerfile.

    Raises:
        StageFailure: One of `unsettled.FAULTS`.
    """
    app = settle(analysis, module, tree, options)
    generator = recipe_for(app)
    bare = app.language in _BUILT_BY_A_MANIFEST and not app.manager
    if generator is None or bare:
        what = f"{app.language} without a manifest" if bare else app.language
        raise LANGUAGE_UNKNOWN(f"there is no recipe for {what}", languages=", ".join(sorted(RECIPES)))
    return DockerfilePlan(app, generator, policy.model_copy(update={"images": policy.images | options.base_images}))


def _shared_reasons(app: App) -> tuple[Reason, ...]:
    health = app.module.health_endpoint.value
    answered = f"{health} must answer below 400" if health else "any answer below 500 at / says that it works"
    return (
        Reason(
            decision=f"user {USER}",
            rationale="an application needs no root; a number can be checked by an orchestrator",
        ),
        Reason(decision="several stages", rationale="compilers and caches stay out of the image that is shipped"),
        Reason(
            decision=f"health check on port {app.port}" if app.port else "no health check",
            rationale=answered if app.port else "it listens on no port",
        ),
    )
