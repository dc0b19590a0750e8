"""Deleting in a real browser, and bringing back."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from neve.testing.server import LiveServer


def test_selection_is_deleted_and_brought_back(
    login: Callable[..., Page], server: LiveServer
) -> None:
    client = server.client()
    client.create_bucket(Bucket="retour")
    client.put_bucket_versioning(Bucket="retour", VersioningConfiguration={"Status": "Enabled"})
    kept = {"a\nb.txt", "dossier/1", "dossier/2"}
    for key in (*kept, "reste"):
        client.put_object(Bucket="retour", Key=key, Body=b"x")
    page = login()
    page.goto("/browse/retour")
    delete = page.get_by_role("button", name="Delete")
    expect(delete).to_be_disabled()
    page.get_by_label("Select a⟨U+000A⟩b.txt").check()
    page.get_by_label("Select dossier/").check()
    delete.click()
    expect(page.get_by_text("3 objects, 3 B.")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("status")).to_contain_text("3 objects were deleted.")
    rows = client.list_objects_v2(Bucket="retour")["Contents"]
    assert [row["Key"] for row in rows] == ["reste"]
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("status")).to_contain_text("3 objects are back.")
    found = client.list_object_versions(Bucket="retour")
    assert {row["Key"] for row in found["Versions"]} == kept | {"reste"}
    assert "DeleteMarkers" not in found
