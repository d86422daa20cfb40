"""Artifacts as a W&B server keeps them: files under a name, in the versions that were sent."""

import json
from base64 import b64encode
from typing import Any

OWNER = {"name": "me"}
PROJECT = {"id": "p", "internalId": "p", "name": "p", "entity": OWNER}


class Artifacts:
    """`named` has the files of each artifact's last version, with the manifest among them."""

    def __init__(self) -> None:
        self.named: dict[str, dict[str, bytes]] = {}
        self.kinds: dict[str, str] = {}
        self._by_id: dict[str, tuple[str, dict[str, bytes]]] = {}

    def store(self, identity: str, name: str, content: bytes) -> None:
        """A file that was uploaded."""
        self._by_id[identity][1][name] = content

    def manifest(self, identity: str) -> Any:
        """The list of its files that a client has uploaded, as JSON."""
        return json.loads(self._by_id[identity][1]["manifest.json"])

    def answer(self, operation: str, variables: dict[str, Any], url: str) -> dict[str, Any] | None:
        """The answer to an operation about artifacts, None to others; files go to `url`."""
        match operation:
            case "ArtifactType":
                return {"project": None}  # none of that name yet
            case "CreateArtifact":
                return {"createArtifact": {"artifact": self._created(variables["input"])}}
            case "CreateArtifactManifest" | "UpdateArtifactManifest":
                answer = operation[0].lower() + operation[1:]
                owner = variables.get("artifactID") or variables["artifactManifestID"]
                upload = f"{url}/artifacts/{owner}/manifest.json"
                file = {"id": "f", "uploadUrl": upload, "uploadHeaders": []}
                return {answer: {"artifactManifest": {"id": owner, "file": file}}}
            case "CreateArtifactFiles":
                given = variables.get("input", variables)  # clients before 0.29 spread it
                nodes = [
                    {
                        "storagePath": file["name"],
                        "uploadUrl": f"{url}/artifacts/{file['artifactID']}/{file['name']}",
                        "uploadHeaders": [],
                        "uploadMultipartUrls": None,
                        "artifact": {"id": file["artifactID"]},
                    }
                    for file in given["artifactFiles"]
                ]
                return {"createArtifactFiles": {"files": {"edges": [{"node": n} for n in nodes]}}}
            case "CommitArtifact":
                made = {"id": variables["artifactID"], "digest": "d"}
                return {"commitArtifact": {"artifact": made}}
            case "FetchArtifactManifest":  # of clients before 0.31
                address = f"{url}/artifacts/{variables['id']}/manifest.json"
                return {"artifact": {"currentManifest": {"file": {"directUrl": address}}}}
            case "ArtifactByID":
                return {"artifact": self._shown(variables["id"])}
        return None

    def _created(self, given: dict[str, Any]) -> dict[str, Any]:
        identity = b64encode(f"Artifact:{len(self._by_id)}".encode()).decode()  # as W&B's are
        files = dict[str, bytes]()
        name = given["artifactCollectionName"]
        self._by_id[identity] = name, files
        self.named[name], self.kinds[name] = files, given["artifactTypeName"]
        sequence = {"latestArtifact": None}
        return {"id": identity, "state": "PENDING", "artifactSequence": sequence}

    def _shown(self, identity: str) -> dict[str, Any]:
        name, files = self._by_id[identity]
        return {
            "__typename": "Artifact",
            "id": identity,
            "artifactSequence": {
                "__typename": "ArtifactSequence",
                "name": name,
                "project": PROJECT,
            },
            "versionIndex": 0,
            "artifactType": {"name": self.kinds[name]},
            "description": None,
            "metadata": None,
            "ttlDurationSeconds": -2,
            "ttlIsInherited": True,
            "tags": [],
            "historyStep": None,
            "state": "COMMITTED",
            "size": sum(map(len, files.values())),
            "digest": "d",
            "commitHash": "c",
            "fileCount": len(files),
            "createdAt": "2026-01-01T00:00:00",
            "updatedAt": None,
            "aliases": [],
        }
