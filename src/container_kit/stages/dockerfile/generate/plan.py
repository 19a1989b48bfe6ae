"""Generate a Dockerfile, its ignore file and the rationale of each choice from an analysis."""

from __future__ import annotations

from dataclasses import dataclass

from container_kit.stages.artifacts.analysis import Analysis
from container_kit.stages.artifacts.dockerfile import Dockerfile, DockerfileOptions, Reason
from container_kit.stages.contract.fault import Evidence, FaultCode
from container_kit.stages.dockerfile.generate.dockerignore import ignore_text
from container_kit.stages.dockerfile.generate.render import USER, dockerfile_text, is_own
from container_kit.stages.dockerfile.generate.resolve import resolve
from container_kit.stages.dockerfile.generate.state import state_layout
from container_kit.stages.ecosystems.catalog import catalog
from container_kit.stages.ecosystems.facets.declaration import RecipeGenerator
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.base_images import Availability, BasePolicy, Bases
from container_kit.stages.ecosystems.facets.generation.context_tree import ContextTree
from container_kit.stages.ecosystems.facets.generation.questions import LANGUAGE_UNKNOWN
from container_kit.stages.ecosystems.facets.generation.recipe import Recipe
from container_kit.stages.formats.dockerignore import parse_ignore_file

SOURCE_IGNORED = FaultCode(
    "dockerfile.source_ignored",
    means="The existing .dockerignore excludes a file that the image needs.",
    hint="Remove the pattern that matches {path} from .dockerignore, or add the line !{path} at its end.",
)


_STATIC = "html"
"""The language whose recipe serves static sites."""


@dataclass(frozen=True, slots=True)
class DockerfilePlan:
    """The inputs of a Dockerfile, except for the images of the host."""

    app: App
    generator: RecipeGenerator
    policy: BasePolicy

    def choices(self) -> tuple[tuple[str, ...], ...]:
        """Return the possible base images, each choice in order of preference."""
        bases = Bases(self.policy, Availability())
        self.generator(self.app, bases)
        return tuple(dict.fromkeys(bases.choices))

    def dockerfile(self, availability: Availability) -> Dockerfile:
        """Generate the files for a host.

        Raises:
            StageFailure: `dockerfile.source_ignored`, and those of `unsettled.FAULTS` that only a recipe can find.
        """
        bases = Bases(self.policy, availability)
        recipe, state = self.generator(self.app, bases), state_layout(self.app)
        path = "Dockerfile" if self.app.place == "." else f"{self.app.place}/Dockerfile"
        return Dockerfile(
            path=path,
            content=dockerfile_text(recipe, self.app.port, self.app.module.health_endpoint.value, state),
            ignore=self._ignore(recipe),
            written=False,
            port=self.app.port,
            reasons=(*self.app.reasons, *bases.reasons, *recipe.reasons, *state.reasons, *_shared_reasons(self.app)),
        )

    def _ignore(self, recipe: Recipe) -> str | None:
        """Return the ignore file; None if the project has one, which must not exclude the copied files."""
        existing = self.app.tree.text(".dockerignore")
        if existing is None or is_own(existing):
            return ignore_text(recipe.ignore, self.app.manifests)
        patterns = parse_ignore_file(existing, ".dockerignore")
        for path in self.app.manifests:
            if patterns.find(path) is not None:
                evidence = [Evidence(kind="file", text=existing[:2000], where=".dockerignore")]
                raise SOURCE_IGNORED(f".dockerignore excludes {path}", evidence=evidence, path=path)
        return None


def plan(
    analysis: Analysis, module: str, tree: ContextTree, options: DockerfileOptions, policy: BasePolicy
) -> DockerfilePlan:
    """Check that an analysis is sufficient for a Dockerfile.

    Raises:
        StageFailure: One of `unsettled.FAULTS`.
    """
    app = resolve(analysis, module, tree, options)
    generator = _recipe_of(app)
    language = catalog().languages.get(app.language)
    manifest_missing = language is not None and language.needs_manifest and not app.manager
    if generator is None or manifest_missing:
        subject = f"{app.language} without a manifest" if manifest_missing else app.language
        supported = sorted(name for name, language in catalog().languages.items() if language.recipe)
        raise LANGUAGE_UNKNOWN(f"there is no recipe for {subject}", languages=", ".join(supported))
    return DockerfilePlan(app, generator, policy.model_copy(update={"images": policy.images | options.base_images}))


def _recipe_of(app: App) -> RecipeGenerator | None:
    """Return the recipe of the package manager, or else of the language; None without a recipe."""
    languages = catalog().languages
    if app.role == "static":
        return languages[_STATIC].recipe
    manager, language = catalog().managers.get(app.manager), languages.get(app.language)
    return (manager.recipe if manager else None) or (language.recipe if language else None)


def _shared_reasons(app: App) -> tuple[Reason, ...]:
    health = app.module.health_endpoint.value
    answered = f"{health} must respond with a status below 400" if health else "a status below 500 at / is healthy"
    return (
        Reason(
            decision=f"user {USER}",
            rationale="an application does not need root, and an orchestrator can check a numeric user",
        ),
        Reason(decision="several stages", rationale="the final image has no compilers and caches"),
        Reason(
            decision=f"health check on port {app.port}" if app.port else "no health check",
            rationale=answered if app.port else "it listens on no port",
        ),
    )
