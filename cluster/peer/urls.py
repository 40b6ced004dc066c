"""Paths under `/_cluster/` that concern the membership."""

from django.urls import path

from cluster.peer import views

urlpatterns = [
    path("ping", views.ping),
    path("heartbeat", views.heartbeat),
    path("gossip", views.gossip),
    path("probe", views.probe),
    path("join", views.join),
    path("leave", views.leave),
]
