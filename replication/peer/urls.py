"""Paths of the peer plane that belong to replication."""

from django.urls import path

from replication.peer import anti_entropy, holding, keys, uploads, views

urlpatterns = [
    path("events", views.events),
    path("frontier", views.frontier),
    path("entries", views.entries),
    path("entries/known", views.entries_known),
    path("registers", views.registers),
    path("blobs/wanted", views.blobs_wanted),
    path("blobs/held", holding.blobs_held),
    path("blob/<str:sha256>", views.blob),
    path("digest", anti_entropy.digest),
    path("written", anti_entropy.written),
    path("key", keys.key),
    path("claim", keys.claim),
    path("uploads", uploads.uploads_of_bucket),
    path("uploads/<str:upload_id>", uploads.upload),
]
