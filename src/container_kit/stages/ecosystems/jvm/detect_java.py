"""Java without Maven or Gradle: classes, JSP pages and servlets, and what Ant builds."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.detector import Detector
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder
from container_kit.stages.ecosystems.jvm.frameworks import FRAMEWORKS, main_class


def describe(folder: Folder, draft: ModuleDraft) -> None:
    """Find pages or servlets for a container, or else a class with a main method."""
    sources = folder.files(".java", limit=1, depth=14) or folder.files(".jsp", limit=1, depth=8)
    place = folder.place(sources[0]) if sources else None
    draft.language.add("java", "code", place, confidence=0.95)
    if ant := re.search(r"<(?:javac|war|jar)\b", folder.text("build.xml")):
        draft.manifests.append("build.xml")
        draft.package_manager.add("ant", "declared", folder.place("build.xml", ant[0]), confidence=0.85)
        draft.build.add("ant", "framework", folder.place("build.xml"))
    main = main_class(folder)
    if main is not None:
        draft.entrypoint.add(main[0], "code", main[1])
        draft.start.add(f"java -cp out {main[0]}", "code", main[1], confidence=0.5)
        draft.build.add("javac -d out $(find . -name '*.java')", "guess", main[1])
    elif not _claim_pages(folder, draft):
        draft.role.add("library", "guess", place)


def _claim_pages(folder: Folder, draft: ModuleDraft) -> bool:
    servlet = folder.find(r"\bextends\s+HttpServlet\b|@WebServlet\b", ".java", depth=14)
    pages = folder.files(".jsp", limit=1, depth=8)
    if not servlet and not pages:
        return False
    place = folder.place(servlet[0], servlet[1][0]) if servlet else folder.place(pages[0])
    draft.framework.add("servlet" if servlet else "jsp", "code", place, confidence=0.7)
    draft.role.add("web", "code", place)
    draft.port.add(8080, "framework", place, confidence=0.55)
    return True


DETECTORS = (
    Detector(
        "java",
        describe,
        version_tools=("java",),
        entry_files=("Main.java", "App.java", "index.jsp", "WEB-INF/web.xml", "*.java", "*.jsp"),
        frameworks=FRAMEWORKS,
        sources=(".java", ".jsp"),
        rank=12,
    ),
)
