from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from ..forms import SignUpForm
from ..models import Order


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def sign_up(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect("shop:account")
    form = SignUpForm(request.POST or None)
    if form.is_valid():
        user = form.save()
        login(request, user)
        messages.success(request, f"Welcome to Tarnleaf, {user.first_name}.")
        return redirect("shop:account")
    return render(request, "shop/sign_up.html", {"form": form})


@login_required
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    return render(request, "shop/account.html", {"orders": Order.objects.filter(customer_id=request.user.pk)})
