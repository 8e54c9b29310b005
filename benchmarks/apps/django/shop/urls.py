"""One page, made with some of the large packages."""

import pandas
from django.http import HttpRequest, HttpResponse
from django.urls import path


def total(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{pandas.Series([1, 2, 3]).sum()}\n")


urlpatterns = [path("", total)]
