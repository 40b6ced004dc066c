"""Paths of the peer plane that belong to replication."""

from django.urls import path

from replication.peer import holding, uploads, views

urlpatterns = [
    path("events", views.events),
    path("frontier", views.frontier),
    path("entries", views.entries),
    path("registers", views.registers),
    path("blobs/wanted", views.blobs_wanted),
    path("blobs/held", holding.blobs_held),
    path("blob/<str:sha256>", views.blob),
    path("uploads", uploads.uploads_of_bucket),
    path("uploads/<str:upload_id>", uploads.upload),
]
