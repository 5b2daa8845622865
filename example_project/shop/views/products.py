from __future__ import annotations

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import cache_page
from django.views.decorators.http import require_safe

from .. import tiktok
from ..models import Product


@require_safe
def front(request: HttpRequest) -> HttpResponse:
    return render(request, "shop/front.html", {"products": Product.objects.all()})


@require_safe
def category(request: HttpRequest, name: str) -> HttpResponse:
    products = Product.objects.filter(category=name)
    context = {"category": Product.Category(name), "products": products}
    return render(request, "shop/category.html", context)


@require_safe
def product(request: HttpRequest, sku: str) -> HttpResponse:
    product = get_object_or_404(Product, sku=sku)
    tiktok.viewed(request, product)
    others = Product.objects.exclude(pk=product.pk)[:4]
    return render(request, "shop/product.html", {"product": product, "others": others})


@cache_page(300)
@require_safe
def landing(request: HttpRequest, sku: str) -> HttpResponse:
    """Where ads lead to: the same bytes for everybody, as out of a CDN. So the browser tells that it was seen."""
    return render(request, "shop/landing.html", {"product": get_object_or_404(Product, sku=sku)})


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    query = request.GET.get("q", "").replace("\x00", "").strip()[:100]
    if query:
        tiktok.searched(request, query)
    return render(request, "shop/search.html", {"query": query, "products": find(query) if query else []})


def find(query: str) -> list[Product]:
    """Products that have every word of the query in title, description or category."""
    products = Product.objects.all()
    for word in query.split():
        products = products.filter(
            Q(title__icontains=word) | Q(description__icontains=word) | Q(category__icontains=word)
        )
    return list(products)
