"""One page, and one that shows what it runs on."""

import platform

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path


def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse("Hello from Django\n", content_type="text/plain")


def python(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"python": platform.python_version()})


urlpatterns = [path("", home), path("python", python)]
